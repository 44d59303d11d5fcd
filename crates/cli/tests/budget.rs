//! A run that was told to go very far ends with a notice instead of going on and on.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

const EVERY_MINUTE: &str = "\
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: \"* * * * *\"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - {name: c, image: busybox, command: [sleep, \"1\"]}
";

fn orrery(words: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_orrery"))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(EVERY_MINUTE.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_jump_of_ten_years_stops_at_the_budget_and_says_how_to_go_on() {
    let output = orrery(&["run", "-", "--until", "87600h", "--max-events", "2000"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("short of 87600h0m0s: 2000 events went by"), "{said}");
    // The advice can be followed.
    let at = said.rsplit("`--until ").next().unwrap().split('`').next().unwrap();
    let output = orrery(&["run", "-", "--until", at, "--max-events", "2000"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{at}");
    assert!(table.contains("cronjob.batch/tick"), "{table}");
}
