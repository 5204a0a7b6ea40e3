//! Every scenario against a server of threads, and against servers that are at fault.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use load::{Length, Plan, Scenario, Slices, hold, measure};
use serde_json::Value;

/// What is sent for what was read.
type Answer = fn(&[u8]) -> Vec<u8>;

const HELLO: Answer = |_| b"Hello world\n".to_vec();
const ECHO: Answer = <[u8]>::to_vec;

fn serve(answer: Answer) -> SocketAddrV4 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let SocketAddr::V4(address) = listener.local_addr().unwrap() else { panic!("no IPv4") };
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || converse(stream, answer));
        }
    });
    address
}

/// Until the other side closes, with or without a reset, or the answer is empty.
fn converse(mut stream: TcpStream, answer: Answer) {
    let mut buffer = [0; 4096];
    loop {
        let read = match stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            read => read.unwrap(),
        };
        let answered = answer(&buffer[..read]);
        if read == 0 || answered.is_empty() || stream.write_all(&answered).is_err() {
            return;
        }
    }
}

fn plan(scenario: Scenario, address: SocketAddrV4, length: Length) -> Plan {
    Plan { scenario, address, connections: 4, idle: 0, pid: None, length }
}

fn answer_of(scenario: Scenario) -> Answer {
    match scenario {
        Scenario::Hello | Scenario::Churn | Scenario::Idle => HELLO,
        Scenario::Echo | Scenario::Pipeline | Scenario::Bulk => ECHO,
    }
}

#[test]
fn rounds_are_counted_exactly() {
    use Scenario::*;
    for (scenario, requests) in
        [(Hello, 12), (Echo, 12), (Pipeline, 192), (Bulk, 12), (Churn, 12), (Idle, 12)]
    {
        let address = serve(answer_of(scenario));
        let mut plan = plan(scenario, address, Length::Rounds(3));
        plan.idle = if scenario == Idle { 20 } else { 0 };
        let result = measure(&plan).unwrap();
        assert_eq!(result["requests"], requests, "{result}");
        assert_eq!(result["connections"], 4, "{result}");
    }
}

#[test]
fn slices_tell_of_both_sides() {
    for scenario in [Scenario::Hello, Scenario::Pipeline, Scenario::Churn] {
        let (length, warm_up) = (Duration::from_millis(1), Duration::ZERO);
        let slices = Slices { count: 5, length, warm_up };
        let address = serve(answer_of(scenario));
        let pid = Some(std::process::id() as i32);
        let plan = Plan { pid, ..plan(scenario, address, Length::Slices(slices)) };
        let result = measure(&plan).unwrap();
        let slices = result["slices"].as_array().unwrap();
        let requests = slices.iter().map(|slice| slice["requests"].as_u64().unwrap());
        assert_eq!(slices.len(), 5);
        assert_eq!(requests.sum::<u64>(), result["requests"].as_u64().unwrap());
        assert!(slices.iter().all(|slice| slice["server_cpu_ns"].as_u64().unwrap() > 0));
        let latency = |name: &str| result["latency_us"][name].as_f64().unwrap();
        assert!(0.0 < latency("p50") && latency("p50") <= latency("p99.9"), "{result}");
        assert!(result["utilisation"].as_f64().unwrap() > 0.0, "{result}");
    }
}

#[test]
fn without_a_process_the_server_s_time_is_unknown() {
    let slices = Slices { count: 1, length: Duration::from_millis(1), warm_up: Duration::ZERO };
    let plan = plan(Scenario::Hello, serve(HELLO), Length::Slices(slices));
    assert_eq!(measure(&plan).unwrap()["slices"][0]["server_cpu_ns"], Value::Null);
}

#[test]
fn a_server_at_fault_is_told_of() {
    let failure = |answer: Answer, scenario| {
        measure(&plan(scenario, serve(answer), Length::Rounds(2))).unwrap_err().to_string()
    };
    let one_wrong_bit: Answer = |read| {
        let mut answer = read.to_vec();
        *answer.last_mut().unwrap_or(&mut 0) ^= 1;
        answer
    };
    assert!(failure(one_wrong_bit, Scenario::Echo).contains("at byte 63, where"));
    assert!(failure(one_wrong_bit, Scenario::Hello).contains("at byte 0, where"));
    assert_eq!(failure(|_| Vec::new(), Scenario::Echo), "the server closed a connection");
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let SocketAddr::V4(address) = listener.local_addr().unwrap() else { panic!("no IPv4") };
    drop(listener);
    let failure = measure(&plan(Scenario::Hello, address, Length::Rounds(1))).unwrap_err();
    assert!(failure.to_string().contains("refused"), "{failure}");
}

#[test]
fn connections_are_held_step_by_step() {
    let address = serve(HELLO);
    let mut output = Vec::new();
    hold(address, &[2, 5, 9], BufReader::new(&b"on\non\nand on\n"[..]), &mut output).unwrap();
    assert_eq!(String::from_utf8(output).unwrap(), "{\"held\":2}\n{\"held\":5}\n{\"held\":9}\n");
}

#[test]
fn an_end_of_input_ends_holding() {
    let mut output = Vec::new();
    hold(serve(HELLO), &[2, 5], &b""[..], &mut output).unwrap();
    output.flush().unwrap();
    assert_eq!(String::from_utf8(output).unwrap(), "{\"held\":2}\n");
}
