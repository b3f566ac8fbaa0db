//! A flow in a file: the store cases of the test provider, and what a file adds to them.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use ciba_core::json::JsonObject;
use ciba_std::{FileSaver, FileSaverError, Superseded};
use ciba_test_op::store_cases;

/// A path of its own in the directory for temporary files; whatever is there goes away.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let name = format!("ciba-file-saver-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn create(&self) -> FileSaver {
        FileSaver::create(&self.0).expect("the directory can be written")
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).expect("it was saved")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn notes(json: &str) -> JsonObject {
    JsonObject::from_json(json).expect("it is an object")
}

#[test]
fn the_file_saver_passes_the_store_check() {
    let place = Place::new("store");
    let saver = place.create();
    for case in store_cases() {
        let saved = saver.save(case.snapshot());
        let object = notes(&place.text());
        let flow = object.json("flow").unwrap_or_default().as_bytes();
        assert_eq!(case.check(&saved, flow), Ok(()), "{case:?}");
    }
    saver.remove().expect("it is there");
    assert!(!place.0.exists());
    saver.remove().expect("it is gone, which is no error");
    // A save that was abandoned comes late: it does not bring the secrets back.
    for case in store_cases() {
        let late = saver.save(case.snapshot()).expect_err("the flow is over");
        assert_eq!((late.kind(), place.0.exists()), (io::ErrorKind::NotFound, false));
    }
}

#[test]
fn opening_a_saver_reads_the_revision_and_the_notes_of_the_file() {
    let place = Place::new("opened");
    for written in ["{}", r#"{"client":{"id":"}"},"n":1}"#] {
        let states = store_cases();
        // The table begins with a later state and goes back to an earlier one.
        let (later, earlier) = (states[0].snapshot(), states[1].snapshot());
        let saver = place.create().with_notes(&notes(written));
        saver.save(later).expect("it is the first");
        drop(saver);
        let opened = FileSaver::open(&place.0).expect("it holds a flow");
        assert_eq!(opened.notes.as_json(), written);
        assert_eq!(opened.snapshot, later.as_bytes());
        let kind = |saved: io::Result<()>| saved.map_err(|error| error.kind());
        let refused = Err(io::ErrorKind::AlreadyExists);
        assert_eq!(kind(opened.saver.save(earlier)), refused);
        assert_eq!(kind(opened.saver.save(later)), refused);
        let newest = states.iter().max_by_key(|case| case.snapshot().revision());
        let newest = newest.expect("there are some").snapshot();
        opened.saver.save(newest).expect("it is newer");
        let rest = written.trim_end_matches('}').len();
        assert!(place.text().starts_with(&written[..rest]), "the notes stay");
        opened.saver.remove().expect("it is there");
    }
}

#[test]
fn only_one_saver_at_a_time_can_hold_a_file() {
    let place = Place::new("held");
    let saver = place.create();
    let in_use = |other: Result<(), FileSaverError>| matches!(other, Err(FileSaverError::InUse));
    assert!(in_use(FileSaver::create(&place.0).map(drop)));
    for case in store_cases().iter().take(4) {
        // Each save puts another file at the path, and it is held like the one before.
        let _ = saver.save(case.snapshot());
        assert!(in_use(FileSaver::open(&place.0).map(drop)), "{case:?}");
    }
    drop(saver);
    assert!(matches!(FileSaver::create(&place.0), Err(FileSaverError::Occupied)));
    FileSaver::open(&place.0).expect("it is free");
}

#[test]
fn a_file_without_a_flow_is_refused_and_left_unchanged() {
    let place = Place::new("malformed");
    for text in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"flow":1}"#,
        r#"{"flow":{},"after":1}"#,
        r#"{"flow":{"revision":"7"}}"#,
        "\u{feff}{}",
    ] {
        let mut file = private(&place.0);
        file.write_all(text.as_bytes()).expect("it can be written");
        drop(file);
        let opened = FileSaver::open(&place.0);
        assert!(matches!(opened, Err(FileSaverError::Malformed)), "{text}: {opened:?}");
        assert_eq!(place.text(), text);
        fs::remove_file(&place.0).expect("it is there");
    }
    assert!(matches!(FileSaver::open(&place.0), Err(FileSaverError::Unreadable(_))));
}

fn private(path: &Path) -> File {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).expect("the directory can be written")
}

#[test]
fn a_flow_that_was_never_saved_leaves_no_file() {
    let place = Place::new("unsaved");
    drop(place.create());
    assert!(!place.0.exists());
    drop(private(&place.0));
    drop(place.create());
    assert!(place.0.exists(), "it was there before");
}

#[cfg(unix)]
#[test]
fn only_its_owner_can_read_it_and_a_link_or_an_exposed_file_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let (place, link) = (Place::new("exposed"), Place::new("link"));
    let saver = place.create();
    saver.save(store_cases()[0].snapshot()).expect("it is the first");
    let mode = || fs::metadata(&place.0).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    drop(saver);
    std::os::unix::fs::symlink(&place.0, &link.0).expect("a link");
    assert!(matches!(FileSaver::open(&link.0), Err(FileSaverError::NotRegular)));
    for exposed in [0o640, 0o604, 0o620] {
        fs::set_permissions(&place.0, fs::Permissions::from_mode(exposed)).expect("a mode");
        let opened = FileSaver::open(&place.0);
        assert!(matches!(opened, Err(FileSaverError::Exposed(mode)) if mode == exposed));
    }
}

/// On a file system without locks, another process may have taken the flow over.
#[test]
fn a_file_that_another_process_replaced_with_a_newer_state_is_left_alone() {
    let place = Place::new("replaced");
    let saver = place.create();
    let states = store_cases();
    let mut states: Vec<_> = states.iter().map(|case| case.snapshot()).collect();
    states.sort_by_key(|state| state.revision());
    states.dedup_by_key(|state| state.revision());
    saver.save(states[0]).expect("it is the first");
    let replace = |state: &str| {
        let temporary = place.0.with_extension("other");
        fs::write(&temporary, format!(r#"{{"flow":{state}}}"#)).expect("it can be written");
        fs::rename(&temporary, &place.0).expect("it can be replaced");
    };
    replace(std::str::from_utf8(states[2].as_bytes()).expect("JSON"));
    let there = place.text();
    for state in &states[1..3] {
        let refused = saver.save(state).expect_err("the other state is newer");
        assert!(Superseded::is_in(&refused), "{refused}");
        assert_eq!(place.text(), there);
    }
    let another = saver.clone();
    another.remove().expect("nothing is there that is ours");
    assert_eq!(place.text(), there);
}
