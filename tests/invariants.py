"""What the sync protocol promises, I1 to I22, and the tests that try to break each promise.

The simulator (tests/simulator/check.py and truth.py) tries most of them in every history, all at once.

I1, every safe item is kept byte for byte after any crash, retry or restore:
    test_a_server_killed_in_the_middle_of_a_push_keeps_what_it_acknowledged,
    test_what_cannot_be_placed_is_kept_byte_for_byte_for_the_supervisor,
    test_a_restored_server_holds_every_row_and_file, test_a_device_sends_again_what_the_restored_server_lacks, the
    simulator
I2, one operation and one row of the feed for each op_id:
    test_a_batch_sent_twice_is_kept_once, test_ten_at_once_with_the_same_submission_keep_it_once,
    test_a_hundred_servers_killed_in_the_middle_of_pushes_lose_and_double_nothing, the simulator
I3, after the faults stop all servers hold equal sets:
    test_two_servers_that_exchange_what_they_have_show_the_same,
    test_all_are_equal_in_the_end_whichever_line_was_cut, the simulator
I4, what is shown depends on the set and not on the order:
    test_the_view_depends_on_the_set_and_not_on_order_or_repetition,
    test_the_record_depends_on_what_arrived_and_not_on_the_order, the simulator
I5, every write is displayed, superseded by one who had seen it, or in an open conflict:
    test_every_write_is_displayed_superseded_by_one_who_saw_it_or_in_an_open_conflict,
    test_no_write_to_an_entry_is_lost, the simulator
I6, who saw a number never later finds a row at or below it:
    test_a_reader_never_finds_later_what_it_has_passed,
    test_writers_at_once_make_the_feed_skip_nothing_and_numbers_of_the_database_skip_rows, the simulator
I7, replay from any cursor ends the same:
    test_small_pages_end_where_one_large_page_ends, test_who_read_page_by_page_holds_the_same,
    test_a_reading_from_the_beginning_comes_to_its_end_page_by_page, the simulator
I8, the verdict on an item does not depend on its neighbours:
    test_an_item_that_cannot_be_read_is_put_aside_and_costs_its_neighbours_nothing,
    test_what_is_known_is_answered_beside_what_is_new_and_does_not_land_again, the simulator
I9, a duplicate answers with the first verdict:
    test_a_batch_sent_twice_is_kept_once, test_what_was_put_aside_is_put_aside_once,
    test_a_duplicate_keeps_the_first_verdict, the simulator
I10, a body that is cut or spoilt changes nothing:
    test_a_batch_that_is_cut_at_any_byte, test_a_wrong_digest_changes_nothing,
    test_a_body_that_did_not_arrive_whole_changes_nothing, the simulator
I11, death at any instruction leaves each item absent, landed or judged:
    test_what_has_landed_is_judged_after_a_crash,
    test_an_item_that_killed_the_process_three_times_is_put_aside_unparsed,
    test_a_hundred_servers_killed_in_the_middle_of_pushes_lose_and_double_nothing, the simulator
I12, what is held applies as soon as what it waits for is here:
    test_what_waits_applies_as_soon_as_what_it_waits_for_is_here, test_an_edit_waits_for_its_predecessor,
    test_an_edit_waits_for_the_base_that_its_author_saw, test_an_unknown_version_waits_until_it_is_published, the
    simulator
I13, quarantine blocks no successor:
    test_what_is_put_aside_blocks_no_successor, test_what_was_put_aside_here_blocks_no_successor_there, the
    simulator
I14, a clock off by years changes only which sibling is displayed:
    test_a_clock_decides_only_which_sibling_is_displayed, test_a_clock_that_is_decades_off_is_no_obstacle, the
    simulator
I15, a row of an attachment means bytes that hash to its name:
    test_a_photo_that_the_server_could_not_put_in_its_place_at_once_is_not_lost,
    test_a_file_that_is_not_what_its_address_says_is_not_kept,
    test_an_upload_with_other_bytes_than_its_hash_starts_again,
    test_a_file_whose_end_the_server_did_not_live_to_see_is_kept_when_somebody_asks,
    test_what_a_crash_has_interrupted_the_next_run_finishes, the simulator
I16, a full disk is 507, an intact database and no acknowledgement:
    test_a_full_disk_loses_nothing, test_a_disk_that_fills_up_while_writing_is_a_refusal
I17, a restore and what is pushed again keep I1 to I4:
    test_after_a_restore_and_a_second_push_all_is_as_it_was,
    test_a_centre_restored_from_last_week_gets_everything_again, the simulator
I18, what a revoked device, or one with another scope, sends is kept:
    test_what_a_revoked_device_sends_is_kept_and_not_shown, test_a_revoked_device_still_hands_over_what_it_has,
    test_what_a_device_writes_about_an_entity_that_has_left_its_scope_meanwhile_is_kept,
    test_a_record_with_work_that_the_server_lacks_is_not_dropped
I19, one operation by two ways is one operation:
    test_one_record_that_came_by_two_ways_is_there_once, test_two_servers_that_took_the_two_ways_show_the_same,
    test_all_are_equal_in_the_end_whichever_line_was_cut, the simulator
I20, an old version of a form is checked by itself for ever:
    test_an_earlier_version_of_the_form_is_checked_by_itself_and_noted
I21, nothing of project A can be reached from B:
    test_a_token_opens_no_other_project, test_nothing_of_a_project_is_told_to_strangers_and_other_teams,
    test_a_file_is_kept_apart_from_other_projects
I22, every derived table made again is the same, byte for byte:
    test_what_is_made_again_is_the_same_row_for_row,
    test_what_is_shown_follows_from_the_operations_before_and_after, the simulator
"""
