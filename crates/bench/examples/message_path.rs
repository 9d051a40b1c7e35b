//! Publishes a number of times through the pure crates, for `scripts/bench/instructions.sh` to count instructions.

#[path = "../tests/message_path/mod.rs"]
mod message_path;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse().expect("a number"));
    let mut next = |default| numbers.next().unwrap_or(default);
    let (publishes, subscribers, content_bytes) = (next(10_000), next(1), next(200));
    let mut path = message_path::MessagePath::new(subscribers, content_bytes as usize);
    for _ in 0..publishes {
        std::hint::black_box(path.publish());
    }
}
