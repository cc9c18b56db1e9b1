//! The table of spec/doctor.md is that of the code.

use std::path::Path;

use tenantry_core::doctor::Invariant;

// covers: DOC-3
#[test]
fn the_table_of_the_specification_names_every_code_with_its_tables_in_order() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/doctor.md")).expect("the chapter");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `doctor."));
    let rows = rows.map(|row| row.split(" | ").collect::<Vec<_>>()).filter(|cells| cells.len() == 3);
    let told: Vec<(String, Vec<String>)> = rows
        .map(|cells| {
            let tables = cells[1].split(", ").map(|table| table.trim_matches('`').to_owned()).collect();
            (format!("doctor.{}", cells[0].trim_end_matches('`')), tables)
        })
        .collect();
    let known: Vec<(String, Vec<String>)> =
        Invariant::ALL.iter().map(|one| (one.code().to_owned(), one.tables().iter().map(ToString::to_string).collect())).collect();
    assert_eq!(told, known);
}
