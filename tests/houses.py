"""Two small workbooks: one registers a house and each person in it, the other visits several persons."""

REGISTER = """
| survey |              |         |         |                  |
|        | type         | name    | label   | save_to          |
|        | text         | address | Address | houses#address   |
|        | begin_repeat | person  | Person  |                  |
|        | text         | name    | Name    | people#full_name |
|        | integer      | age     | Age     | people#age       |
|        | end_repeat   |         |         |                  |
| entities |           |            |
|          | list_name | label      |
|          | houses    | ${address} |
|          | people    | ${name}    |
| settings |           |            |
|          | form_id   | version    |
|          | rumah     | 1          |
"""
FOLLOW_UP = """
| survey |              |      |        |            |
|        | type         | name | label  | save_to    |
|        | begin_repeat | turn | Person |            |
|        | select_one_from_file people.csv | who | Who | |
|        | integer      | age  | Age    | people#age |
|        | end_repeat   |      |        |            |
| entities |           |           |
|          | list_name | entity_id |
|          | people    | ${who}    |
| settings |           |           |
|          | form_id   | version   |
|          | susulan   | 1         |
"""
