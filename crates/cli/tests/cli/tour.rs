//! Every command once, as people and as scripts see its answer, and the same from memory as from a file.

use crate::support::{Ran, fill_in, scene, sqlite_file, tenantry};

fn tour(store: &str, lines: &str, json: bool) -> Ran {
    let scene = scene();
    let path = scene.path().join("tour.batch");
    std::fs::write(&path, lines).expect("written");
    let form = if json { "--json" } else { "--echo" };
    let mut command = tenantry();
    command.args(["--store", store, "--deterministic", "batch", form]).arg(&path);
    // From here, the files that the lines import are found.
    command.current_dir(scene.path()).output().expect("it starts").into()
}

#[test]
fn every_command_answers_people_and_scripts() {
    let lines = fill_in(include_str!("../data/tour.template"));
    let file = sqlite_file();
    let (memory, sqlite) = (tour("memory:", &lines, false), tour(&file.store, &lines, false));
    insta::assert_snapshot!("people", format!("{}\n--- standard error\n{}", memory.out, memory.err));
    assert_eq!((memory.code, memory.out, memory.err), (sqlite.code, sqlite.out, sqlite.err));

    let file = sqlite_file();
    let (memory, sqlite) = (tour("memory:", &lines, true), tour(&file.store, &lines, true));
    insta::assert_snapshot!("json", memory.out);
    assert_eq!((memory.code, memory.out, memory.err), (sqlite.code, sqlite.out, sqlite.err));
}
