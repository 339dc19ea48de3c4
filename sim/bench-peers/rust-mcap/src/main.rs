//! Writes one file with the Rust `mcap` crate, in the way that `sim/src/bench/edge/mcap-workload.ts` describes, and prints one
//! line of JSON: seconds from opening the file to the end of its fsync, and the peak of its memory.
use std::{collections::BTreeMap, env, fs, io::BufWriter, time::Instant};

use mcap::{records::MessageHeader, Compression, WriteOptions};

struct Arguments {
    out: String,
    payloads: String,
    message_bytes: usize,
    messages: usize,
    is_zstd: bool,
    level: u32,
}

fn arguments() -> Arguments {
    let given: Vec<String> = env::args().skip(1).collect();
    let [out, payloads, message_bytes, messages, compression, level] = given.as_slice() else {
        panic!("usage: mcap-writing-peer OUT PAYLOADS MESSAGE_BYTES MESSAGES none|zstd LEVEL");
    };
    Arguments {
        out: out.clone(),
        payloads: payloads.clone(),
        message_bytes: message_bytes.parse().expect("MESSAGE_BYTES is a number"),
        messages: messages.parse().expect("MESSAGES is a number"),
        is_zstd: compression == "zstd",
        level: level.parse().expect("LEVEL is a number"),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given = arguments();
    let payloads = fs::read(&given.payloads)?;
    let period_ns = 1_000_000u64;

    let started = Instant::now();
    let file = fs::File::create(&given.out)?;
    let options = WriteOptions::new()
        .compression(given.is_zstd.then_some(Compression::Zstd))
        .compression_level(given.level)
        .chunk_size(Some(1024 * 1024));
    let mut writer = options.create(BufWriter::new(file))?;
    let channel_id = writer.add_channel(0, "/bench", "protobuf", &BTreeMap::new())?;
    let mut start = 0;
    for sequence in 0..given.messages {
        if start + given.message_bytes > payloads.len() {
            start = 0;
        }
        let time = sequence as u64 * period_ns;
        writer.write_to_known_channel(
            &MessageHeader { channel_id, sequence: sequence as u32, log_time: time, publish_time: time },
            &payloads[start..start + given.message_bytes],
        )?;
        start += given.message_bytes;
    }
    writer.finish()?;
    drop(writer);
    fs::File::open(&given.out)?.sync_all()?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{{\"seconds\":{seconds},\"peakBytes\":{}}}", peak_bytes());
    Ok(())
}

/// Largest resident size of this process, 0 where the system does not tell.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
