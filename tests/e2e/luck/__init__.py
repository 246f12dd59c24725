"""Bad luck in the field: what the enumerator sees, what the supervisor sees, and that nothing is lost.

A cloned tablet:
    test_a_cloned_tablet, test_what_follows_a_reused_number_does_not_wait_for_it, the simulator's clones
A revoked tablet:
    test_a_revoked_tablet, test_a_revoked_device_still_hands_over_what_it_has,
    test_what_a_revoked_device_sent_is_released_as_a_new_operation
A clock off by years:
    test_a_clock_that_is_off_by_years, test_a_clock_that_is_decades_off_is_no_obstacle,
    test_who_goes_on_from_a_change_writes_later_unless_its_clock_is_off_by_years,
    test_a_clock_that_is_far_ahead_drags_nobody_along
A tablet with an app two versions old, or with one newer than the server:
    test_a_tablet_with_an_old_program, test_a_tablet_with_a_program_that_is_newer_than_the_server,
    test_a_field_client_of_a_newer_protocol_keeps_everything, test_words_of_a_newer_server_lose_nothing,
    test_a_protocol_that_nobody_here_knows_changes_nothing_here
A form version that the server has never seen:
    test_a_form_version_that_the_server_has_never_seen, test_an_unknown_version_waits_until_it_is_published
A form deleted meanwhile:
    test_a_form_that_is_gone_meanwhile, test_a_closed_form_is_opened_before_its_submissions_are_released
The same record by two doors at once:
    test_the_same_record_by_two_doors_at_once,
    test_an_instance_known_from_its_device_is_a_duplicate,
    test_an_instance_that_came_bare_is_a_duplicate_when_its_device_sends_it,
    test_two_servers_that_took_the_two_ways_show_the_same
A batch cut at any byte:
    test_a_batch_that_is_cut_at_any_byte, test_a_batch_that_does_not_arrive_as_it_was_sent_is_sent_again, the
    simulator's network
A proxy that answers 200 with a log-in page:
    test_a_log_in_page_instead_of_the_server
A disk that fills:
    test_a_full_disk_loses_nothing, test_what_is_kept_stays_and_the_rest_is_said,
    test_receipts_for_which_there_is_no_room_are_asked_for_again, test_a_folder_that_cannot_even_be_opened_says_why
A process that dies anywhere:
    test_a_server_killed_in_the_middle_of_a_push_keeps_what_it_acknowledged,
    test_a_client_killed_between_any_two_steps_loses_and_doubles_nothing, the simulator's deaths
A database that goes away and comes back:
    test_a_postgresql_that_is_stopped_and_started_costs_nobody_anything,
    test_a_file_that_another_process_holds_is_waited_for_and_then_asked_again
A database that takes no changes, as after a failover:
    test_a_database_that_takes_no_changes_is_told_and_acknowledges_nothing,
    test_what_has_landed_when_the_database_stops_taking_changes_is_judged_later
More than the server can answer:
    test_who_cannot_be_answered_is_told_when_to_come_back, test_a_writer_waits_for_its_turn_only_so_long,
    test_a_busy_server_says_when_to_come_back, test_a_batch_that_is_too_large_goes_in_halves_and_grows_again,
    test_a_batch_that_gets_no_answer_goes_in_halves_too_and_counts_once
A server restored from last week's backup:
    test_a_device_sends_again_what_the_restored_server_lacks,
    test_a_server_restored_from_a_backup_without_its_own_last_word, the simulator's restores
Storage that fails on the tablet:
    test_it_is_noticed_told_and_put_right, test_one_difference_is_found_in_its_bucket
A tablet that was away for too long:
    test_it_reads_everything_again_and_keeps_what_it_had_not_sent, test_what_it_has_stands_until_all_has_come_again,
    test_it_is_killed_while_it_reads_again, test_who_was_away_too_long_reads_everything_again
"""
