//! The contract of the sockets: each case runs over the kernel, on every backend, and over the
//! simulation, on one host and where it can on two, and means the same on each.
//!
//! The simulation does as Linux does, so the kernel's half is Linux's; `sim` is what the other half
//! needs.

#![cfg(any(target_os = "linux", feature = "sim"))]

mod connections;
mod endings;
mod flow;
mod place;
#[path = "../socket_util/mod.rs"]
mod socket_util;
mod udp;
#[cfg(unix)]
mod unix_datagrams;
#[cfg(unix)]
mod unix_streams;

/// Makes a test of each case and each world it runs in.
macro_rules! contract {
    ($($(#[$attribute:meta])* $module:ident $worlds:ident: $($case:ident)*;)*) => {
        $($(#[$attribute])* contract!(@$worlds $module: $($case)*);)*
    };
    (@everywhere $module:ident: $($case:ident)*) => {$(
        mod $case {
            contract!(@on_one_machine $module $case);
            #[cfg(feature = "sim")]
            #[test]
            fn over_the_simulation_between_two_hosts() {
                crate::place::between_two_hosts(crate::$module::$case);
            }
        }
    )*};
    (@within_a_machine $module:ident: $($case:ident)*) => {$(
        mod $case {
            contract!(@on_one_machine $module $case);
        }
    )*};
    (@on_one_machine $module:ident $case:ident) => {
        #[cfg(target_os = "linux")]
        #[test]
        fn over_the_kernel() {
            crate::place::over_the_kernel(crate::$module::$case);
        }
        #[cfg(feature = "sim")]
        #[test]
        fn over_the_simulation() {
            crate::place::on_one_host(crate::$module::$case);
        }
    };
}

contract! {
    connections everywhere:
        both_sides_know_each_other
        nobody_there_refuses
        connections_are_accepted_in_their_order
        nobody_to_accept_would_block
        port_zero_finds_a_free_port
        an_address_in_use_is_refused
        an_address_is_free_again_when_its_listener_is_gone
        the_port_of_a_connection_is_taken
        a_foreign_address_cannot_be_bound
        a_wildcard_listener_is_reached_at_each_address
        two_connections_do_not_mix
        the_backlog_of_a_dropped_listener_is_reset
        a_write_learns_that_the_listener_is_gone
        a_connection_that_ends_in_the_backlog_is_accepted
        a_connection_that_is_reset_in_the_backlog_is_accepted
        version_six_connects
        options_are_kept;
    connections within_a_machine:
        the_unspecified_address_means_this_machine
        every_loopback_address_is_this_machine;
    endings everywhere:
        half_closes_follow_each_other
        the_accepted_side_may_close_first
        nothing_is_written_after_a_shutdown
        a_side_that_stops_reading_still_writes
        both_directions_shut_down_at_once
        a_reset_is_an_error_once_and_then_the_end
        a_write_may_be_what_learns_of_a_reset
        the_option_tells_of_a_reset
        data_comes_before_the_reset
        closing_with_unread_data_resets
        data_comes_before_the_reset_of_a_close
        a_write_to_a_peer_that_is_gone_breaks_later
        a_peer_that_goes_ends_a_write
        a_peer_that_goes_ends_a_read
        a_side_that_is_done_writing_learns_of_a_reset
        a_reset_behind_the_end_breaks_the_pipe
        a_connection_that_has_ended_has_no_peer
        everything_written_before_a_close_arrives;
    flow everywhere:
        an_empty_connection_would_block
        a_full_connection_takes_more_once_it_is_read
        both_directions_carry_much_at_once
        a_slow_reader_gets_everything_in_order
        many_small_writes_stay_in_order
        a_peek_takes_nothing
        buffers_are_filled_and_sent_one_after_the_other
        an_empty_read_waits_and_takes_nothing
        an_empty_write_writes_nothing
        halves_read_and_write_at_once
        a_chunk_is_what_has_come;
    udp everywhere:
        both_sides_know_who_sent
        a_connected_socket_hears_its_peer_alone
        a_socket_may_connect_again
        without_a_peer_there_is_nowhere_to_send
        an_empty_datagram_is_one
        what_does_not_fit_is_lost
        a_peek_leaves_the_datagram
        nobody_there_refuses_a_connected_socket
        an_unconnected_socket_is_not_told
        a_stranger_is_refused_by_a_connected_socket
        datagrams_come_in_their_order
        no_datagram_would_block
        a_bound_address_is_in_use
        a_closed_socket_frees_its_port
        a_datagram_that_is_too_long_is_refused
        version_six_carries_datagrams
        an_address_of_the_other_version_is_refused;
    udp within_a_machine:
        what_finds_no_room_is_dropped;
    #[cfg(unix)]
    unix_streams within_a_machine:
        a_path_connects
        an_abstract_name_connects
        a_pair_has_no_address
        a_path_without_a_socket_is_not_found
        a_path_in_use_is_refused
        a_path_whose_listener_is_gone_refuses
        a_path_of_datagrams_takes_no_stream
        unix_half_closes_follow_each_other
        a_close_is_the_end_and_a_broken_pipe
        unix_closing_with_unread_data_resets
        who_stops_reading_breaks_the_pipe
        unix_shutdowns_of_both_directions
        the_backlog_of_a_dropped_unix_listener_is_reset
        a_full_backlog_waits
        a_full_unix_connection_takes_more_once_it_is_read
        a_unix_peek_takes_nothing
        empty_reads_and_writes_of_unix_streams;
    #[cfg(unix)]
    unix_datagrams within_a_machine:
        paths_carry_datagrams
        abstract_names_carry_datagrams
        a_pair_carries_datagrams
        an_unbound_socket_has_no_name
        nobody_at_a_path_is_not_found
        a_bound_path_is_in_use
        a_path_whose_socket_is_gone_refuses
        the_other_end_of_a_pair_is_gone
        a_full_queue_waits
        a_full_queue_of_a_connected_socket_waits
        a_full_pair_waits
        a_waiting_sender_learns_that_the_receiver_is_gone
        a_receiver_that_is_connected_hears_its_peer_alone
        unix_datagrams_come_in_their_order
        empty_and_cut_unix_datagrams
        without_a_peer_there_is_nowhere_to_send_on_unix
        a_path_of_streams_takes_no_datagram;
}
