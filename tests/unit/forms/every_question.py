"""A form with a question of every kind, as an author would write it."""

# ruff: noqa: E501  # a table is as wide as it is

TABLE = """
| survey |
| | type | name | label::English (en) | label::Bahasa Indonesia (id) | hint::English (en) | hint::Bahasa Indonesia (id) | guidance_hint::English (en) | required | relevant | constraint | constraint_message::English (en) | calculation | appearance | parameters | choice_filter | repeat_count | readonly |
| | start | start | | | | | | | | | | | | | | | |
| | begin_group | about | About you | Tentang Anda | | | | | | | | | | | | | |
| | text | name | What is your **full** name? | Siapa nama _lengkap_ Anda? | As on the card | Seperti di kartu | Spell it aloud | yes | | | | | | | | | |
| | integer | age | Age (years) | Usia (tahun) | | | | yes | | . >= 17 and . <= 99 | Between 17 and 99. | | | | | | |
| | select_one yn | married | Married? | Menikah? | | | | | | | | | | | | | |
| | date | wedding | When? | Kapan? | | | | | ${married} = 'yes' and ${age} > 18 | | | | | | | | |
| | end_group | about | | | | | | | | | | | | | | | |
| | select_multiple crops | crops | Which crops? | Tanaman apa? | | | | | | not(selected(., 'none') and count-selected(.) > 1) | None stands alone. | | | | | | |
| | rank crops | order | Rank them | Urutkan | | | | | selected(${crops}, 'rice') or selected(${crops}, 'corn') | | | | | | | | |
| | range | mood | How happy? | Seberapa senang? | | | | | | | | | | start=1 end=5 step=1 | | | |
| | range | share | Which share? | Berapa bagian? | | | | | | | | | | start=0 end=100 step=5 | | | |
| | decimal | weight | Weight (kg) | Berat (kg) | | | | | | . > 0 and . < 200 | | | | | | | |
| | integer | income | Income (Rp) | Pendapatan (Rp) | | | | | | . >= 0 and . <= 999999999 | | | thousands-sep | | | | |
| | time | woke | When did you get up? | Jam berapa bangun? | | | | | | | | | | | | | |
| | dateTime | met | When did we meet? | Kapan bertemu? | | | | | | | | | | | | | |
| | geopoint | place | Where? | Di mana? | | | | | | | | | | | | | |
| | geotrace | path | Which way? | Lewat mana? | | | | | | | | | | | | | |
| | image | photo | Photo of the house | Foto rumah | | | | | | | | | | | | | |
| | image | sign | Sign here | Tanda tangan | | | | | | | | | signature | | | | |
| | audio | voice | Recording | Rekaman | | | | | | | | | | | | | |
| | barcode | code | Code on the bag | Kode di karung | | | | | | | | | | | | | |
| | acknowledge | ok | I have read it | Sudah saya baca | | | | | | | | | | | | | |
| | text | story | Tell me, ${name} | Ceritakan, ${name} | | | | | | | | | multiline | | | | |
| | select_one village | village | Village | Desa | | | | | | | | | | | district = ${district} | | |
| | select_one district | district | District | Kecamatan | | | | | | | | | | | | | |
| | select_one long | town | Town | Kota | | | | | | | | | | | | | |
| | select_one_from_file people.csv | who | Who? | Siapa? | | | | | | | | | | | | | |
| | note | thanks | Thank you, **${name}**. | Terima kasih, ${name}. | | | | | ${about_sum} > 3 | | | | | | | | |
| | begin_repeat | child | Child | Anak | | | | | ${married} = 'yes' | | | | | | | | |
| | text | child_name | Name | Nama | | | | | | | | | | | | | |
| | integer | child_age | Age | Usia | | | | | | . <= 30 | | | | | | | |
| | select_one yn | school | At school? | Sekolah? | | | | | ${child_age} >= 6 | | | | | | | | |
| | end_repeat | child | | | | | | | | | | | | | | | |
| | begin_repeat | trip | Trip | Perjalanan | | | | | | | | | | | | 2 | |
| | text | where | Where did it go, and what did you see on the way there? | Ke mana, dan apa yang terlihat di jalan menuju ke sana? | | | | | | | | | multiline | | | | |
| | select_one district | which | In which district? | Di kecamatan mana? | | | | | | | | | | | | | |
| | end_repeat | trip | | | | | | | | | | | | | | | |
| | begin_repeat | child_trip | Visit | Kunjungan | | | | | | | | | | | | ${age} | |
| | text | told | What was told? | Apa yang diceritakan? | | | | | | | | | multiline | | | | |
| | end_repeat | child_trip | | | | | | | | | | | | | | | |
| | calculate | about_sum | | | | | | | | | | ${age} + ${income} | | | | | |
| | text | hidden | Never | Tidak pernah | | | | | false() | | | | | | | | |
| | integer | shown | Worked out | Dihitung | | | | | | | | ${age} * 2 | | | | | yes |
| choices |
| | list_name | name | label::English (en) | label::Bahasa Indonesia (id) | district |
| | yn | yes | Yes | Ya | |
| | yn | no | No | Tidak | |
| | crops | rice | Rice | Padi | |
| | crops | corn | Corn | Jagung | |
| | crops | none | None | Tidak ada | |
| | district | a | Arjasa | Arjasa | |
| | district | b | Bangsal | Bangsal | |
| | village | v1 | Pakis | Pakis | a |
| | village | v2 | Panti | Panti | b |
{towns}
| settings |
| | form_title | form_id | version | default_language |
| | Every question | every | 2026112601 | English (en) |
""".replace("{towns}", "\n".join(f"| | long | t{at} | Town {at} | Kota {at} | |" for at in range(1, 41)))
