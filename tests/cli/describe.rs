//! Completions and manual pages, as they are made from the commands.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use crate::support::Program;

/// The commands as `--help` lists them.
async fn commands() -> Vec<String> {
    let help = Program::run(&["--help"], &HashMap::new()).await.stdout;
    let (_, listed) = help.split_once("Commands:\n").unwrap();
    let (listed, _) = listed.split_once("\n\n").unwrap();
    let names = listed
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next());
    let names: Vec<String> = names.map(str::to_owned).collect();
    assert!(
        names.len() >= 14 && names.contains(&"completions".to_owned()),
        "{names:?}"
    );
    names
}

#[tokio::test]
async fn completions_for_every_shell_name_every_command() {
    let commands = commands().await;
    let nowhere = HashMap::from([("SMARTASSIST_ETL_CONFIG".to_owned(), "/nowhere".to_owned())]);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ended = Program::run(&["completions", shell], &nowhere).await;
        assert_eq!((ended.code(), ended.log.len()), (0, 0), "{shell}");
        for command in &commands {
            assert!(
                ended.stdout.contains(command.as_str()),
                "no {command} for {shell}"
            );
        }
    }
    let ended = Program::run(&["completions", "tcsh"], &nowhere).await;
    assert_eq!(ended.code(), 2);
}

#[tokio::test]
async fn bash_takes_the_completions() {
    let script = Program::run(&["completions", "bash"], &HashMap::new())
        .await
        .stdout;
    let typed = "COMP_WORDS=(smartassist-etl bac); COMP_CWORD=1; _smartassist__etl smartassist-etl bac smartassist-etl; \
                 echo ${COMPREPLY[@]}";
    let output = Command::new("bash")
        .args(["-c", &(script + typed)])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "backfill");
}

#[tokio::test]
async fn the_manual_has_a_page_for_every_command() {
    let page = Program::run(&["man"], &HashMap::new()).await.stdout;
    assert!(page.contains(".TH smartassist-etl 1"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("man1");
    let ended = Program::run(&["man", "--dir", folder.to_str().unwrap()], &HashMap::new()).await;
    assert_eq!(
        (ended.code(), ended.stdout.as_str()),
        (0, ""),
        "{}",
        ended.last_word()
    );
    let main = std::fs::read_to_string(folder.join("smartassist-etl.1")).unwrap();
    assert_eq!(main, page);
    for command in commands().await.iter().filter(|command| *command != "help") {
        let of = std::fs::read_to_string(folder.join(format!("smartassist-etl-{command}.1"))).unwrap();
        assert!(of.contains(&format!(".TH smartassist-etl-{command} 1")), "{of}");
        assert!(page.contains(&command.replace('-', "\\-")), "{command}");
        render(&of);
    }
    render(&page);
}

/// Where there is a formatter, it has nothing to complain of.
fn render(page: &str) {
    let formatter = Command::new("groff")
        .args(["-k", "-man", "-Tutf8", "-ww", "-Wbreak"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut formatter) = formatter else { return };
    std::io::Write::write_all(&mut formatter.stdin.take().unwrap(), page.as_bytes()).unwrap();
    let output = formatter.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(output.stdout.len() > 200);
}

#[tokio::test]
async fn manual_pages_that_cannot_be_written_are_an_error() {
    let ended = Program::run(&["man", "--dir", "/dev/null/man"], &HashMap::new()).await;
    assert_eq!(ended.code(), 1);
    assert!(
        ended.last_word().contains("cannot write to /dev/null/man"),
        "{}",
        ended.last_word()
    );
}
