use super::*;
use crate::gz;

mod published;

const COUNTERFACT: &str = r#"[
 {"case_id": 7, "requested_rewrite": {"prompt": "The capital of {} is", "relation_id": "P36", "extra": [1],
   "target_new": {"str": "Rome", "id": "Q220"}, "target_true": {"str": "Paris"}, "subject": "France"},
  "paraphrase_prompts": ["France's capital,"], "neighborhood_prompts": ["Île-de-France has"], "unknown": {"a": 1}},
 {"case_id": "b", "requested_rewrite": {"prompt": "{}, born in", "target_true": "Oslo", "subject": "Zoë"}}]"#;

const KNOWN: &str = r#"[
 {"known_id": 0, "subject": "A", "attribute": "x", "template": "{} is", "prompt": "Of A it is said", "relation_id": "P1"},
 {"known_id": 1, "subject": "B", "attribute": "x", "prompt": "B is", "relation_id": "P1"},
 {"known_id": 2, "subject": "C", "attribute": "q", "prompt": "C is", "relation_id": "P2"},
 {"known_id": 3, "subject": "D", "attribute": "y", "prompt": "D is", "relation_id": "P1"}]"#;

#[test]
fn counterfact() -> Result<()> {
    let file = parse("facts.json", COUNTERFACT.as_bytes())?;
    let [france, zoe] = &file.facts[..] else { panic!("two facts") };
    assert_eq!((france.id.as_str(), france.relation.as_str()), ("7", "P36"));
    assert_eq!(france.prompt(), "The capital of France is");
    assert_eq!(&france.prompt()[france.subject_chars()], "France");
    assert_eq!((france.target_true.as_str(), france.target_new.as_str()), ("Paris", "Rome"));
    assert_eq!(france.paraphrases, ["France's capital,"]);
    assert_eq!(france.neighbourhood, ["Île-de-France has"]);
    assert_eq!(france.corrupted("Random Person"), ("The capital of Random Person is".into(), 15..28));
    assert_eq!((zoe.id.as_str(), zoe.relation.as_str(), zoe.target_new.as_str()), ("b", "", "Paris"));
    assert_eq!((zoe.prompt().as_str(), zoe.subject_chars()), ("Zoë, born in", 0..4));
    assert_eq!(file.warnings.len(), 1, "one fact was completed: {:?}", file.warnings);
    assert_eq!(file.source().count, 2);
    Ok(())
}

#[test]
fn known_1000_takes_the_prompt_and_the_next_different_attribute() -> Result<()> {
    let file = parse("known.json", KNOWN.as_bytes())?;
    assert_eq!(file.facts[0].template, "Of {} it is said");
    let new: Vec<&str> = file.facts.iter().map(|fact| fact.target_new.as_str()).collect();
    // P1 holds x, x, y (cyclic); P2 holds only q, so the file's next different answer, y.
    assert_eq!(new, ["y", "y", "y", "x"]);
    Ok(())
}

#[test]
fn gzip_and_its_digest() -> Result<()> {
    let packed = gz::pack(COUNTERFACT.as_bytes())?;
    let (file, plain) = (parse("a.json.gz", &packed)?, parse("a.json", COUNTERFACT.as_bytes())?);
    assert_eq!(file.facts, plain.facts);
    assert_ne!(file.sha256, plain.sha256);
    let abc = parse("a.csv", b"prompt,subject,target\nA is,A,b\n")?;
    // printf 'prompt,subject,target\nA is,A,b\n' | sha256sum
    assert_eq!(abc.sha256, "1aaca5fac4b6655d57bed446a0399e5088c73dc5de7874d14f7d1cda278ffa41");
    Ok(())
}

#[test]
fn csv_columns_and_delimiters() -> Result<()> {
    let tables = [
        "prompt,subject,target_true,target_new,relation,id\n\"In {}, it\",Rome,x,y,P1,9\n",
        "ID;Relation_ID;target_new;Attribute;SUBJECT;Prompt\n9;P1;y;x;Rome;In Rome, it\n",
        "\u{feff}template\tsubject\tobject\ttarget_new\trelation\tid\r\nIn {}, it \tRome\t x\ty\tP1\t9\r\n",
        "template,prompt,subject,target,target_new,relation,id\nshort {},\"In Rome, it\",Rome,x,y,P1,9",
    ];
    for table in tables {
        let file = parse("t.csv", table.as_bytes()).map_err(|error| error.at(table))?;
        let wanted = Fact {
            id: "9".into(),
            relation: "P1".into(),
            template: "In {}, it".into(),
            subject: "Rome".into(),
            target_true: "x".into(),
            target_new: "y".into(),
            ..Fact::default()
        };
        assert_eq!(file.facts, [wanted]);
        assert_eq!(file.warnings, [""; 0]);
    }
    Ok(())
}

#[test]
fn errors_name_the_place_and_the_way_out() {
    let cases: [(&str, &str, &str); 17] = [
        ("", "x: the file is empty", "accepted:"),
        ("  \n", "x: the file is empty", "accepted:"),
        ("[]", "x: no facts", "accepted:"),
        ("prompt,subject,target\n", "x: no facts", "accepted:"),
        ("{\"a\": 1}", "x: a JSON object without an array", "the object has: a;"),
        ("<!DOCTYPE html>", "x: this is an HTML", "download"),
        ("[{\"case_id\": 1, \"requ", "x: not valid JSON: record 1", "cut off"),
        ("[1]", "record 1: invalid type: integer `1`, expected an object", "cut off"),
        ("[{\"foo\": 1, \"bar\": 2}]", "x: record 1: subject is missing", "the record has: bar, foo."),
        (
            r#"[{"requested_rewrite": {"subject": "a", "prompt": 5}}]"#,
            "requested_rewrite.prompt is a number",
            "in requested_rewrite: prompt, subject",
        ),
        (
            r#"[{"requested_rewrite": {"subject": "a", "prompt": "{}"}}]"#,
            "requested_rewrite.target_true is missing",
            "in requested_rewrite",
        ),
        (
            r#"[{"subject": "a", "prompt": "b", "attribute": "c"}]"#,
            "record 1: prompt: the subject \"a\" is not in",
            "write {}",
        ),
        (
            r#"[{"subject": "a", "prompt": "{} {}", "attribute": "c"}]"#,
            "prompt: the prompt has 2 places",
            "write {} once",
        ),
        (r#"[{"subject": "a", "prompt": "a", "attribute": "c"}] x"#, "text after the end", "one array"),
        ("prompt,answer\na,b\n", "x: the header has no column subject", "columns found: prompt, answer;"),
        (
            "prompt,subject,target\nA is,A\nA is,A\n",
            "x: row 1 (line 2): 2 fields where the header has 3",
            "double quotes",
        ),
        ("prompt,subject,target\nA is,Q,b\n", "x: row 1 (line 2): prompt: the subject \"Q\"", "write {}"),
    ];
    for (text, message, hint) in cases {
        let Err(error) = parse("x", text.as_bytes()) else { panic!("accepted: {text}") };
        assert!(error.message().contains(message), "{text}: {}", error.message());
        let next = error.next_step().unwrap_or_default();
        assert!(next.contains(hint), "{text}: {next}");
    }
    assert!(parse("x", b"prompt\n\xff").is_err_and(|error| error.message().contains("not UTF-8 text (line 2)")));
}

#[test]
fn warnings() -> Result<()> {
    let file =
        parse("x", b"id,prompt,subject,target,target_new\n1,A is,A,b,c\n1,A is,A,,c\n2,B is,B,b,c\n1,C is,C,b,c\n")?;
    assert_eq!(
        file.warnings,
        [
            "1 fact is excluded: the prompt, subject or true answer is empty: 1 at row 2 (line 3)",
            "1 id is used by more than one fact: 1"
        ]
    );
    let file = parse("x", b"prompt,subject,target\nA is,A,b\nB is,B,b\n")?;
    assert_eq!(file.facts[0].target_new, "");
    assert_eq!(file.warnings, ["no other answer in the file for: 0, 1"]);
    Ok(())
}

#[test]
fn the_subject_is_found_as_a_whole_word_first() -> Result<()> {
    assert_eq!(template_of("Romeo lives in Rome, Rome", "Rome")?, "Romeo lives in {}, Rome");
    assert_eq!(template_of("Romeo lives", "Rome")?, "{}o lives");
    assert_eq!(template_of("Á is Áb", "Á")?, "{} is Áb");
    assert_eq!(template_of("of {} it", "it")?, "of {} it");
    Ok(())
}

/// The folder with the real files, where there is one.
fn shared(file: &str) -> Option<Vec<u8>> {
    let beside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let root = std::env::var_os("ENGRAM_SHARED").map_or(beside, Into::into);
    let found = std::fs::read(root.join("data").join(file)).ok();
    if found.is_none() {
        log_skip(file);
    }
    found
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn log_skip(file: &str) {
    eprintln!("skipped: no data/{file} in ENGRAM_SHARED or beside the workspace");
}

#[test]
fn the_real_counterfact() -> Result<()> {
    let Some(bytes) = shared("counterfact.json") else { return Ok(()) };
    let started = std::time::Instant::now();
    let file = parse("counterfact.json", &bytes)?;
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(file.facts.len(), 21_919);
    assert_eq!(file.warnings, [""; 0]);
    let ends = file.facts.iter().filter(|fact| fact.subject_chars().end == fact.prompt().len()).count();
    assert_eq!(ends, 0, "METHODS: no CounterFact prompt ends with its subject");
    for fact in &file.facts {
        assert_eq!(&fact.prompt()[fact.subject_chars()], fact.subject);
        assert!(!fact.target_new.is_empty() && fact.target_new != fact.target_true);
    }
    // The relation could not be inferred for these (null in the file).
    assert_eq!(file.facts.iter().filter(|fact| fact.relation.is_empty()).count(), 119);
    // Generous: a loaded machine is no failure, a slip to quadratic is.
    assert!(seconds < 5.0, "{seconds} s");
    Ok(())
}

#[test]
fn the_real_known_1000() -> Result<()> {
    let Some(bytes) = shared("known_1000.json") else { return Ok(()) };
    let file = parse("known_1000.json", &bytes)?;
    assert_eq!(file.facts.len(), 1_209);
    assert_eq!(file.facts[0].prompt(), "Vinson Massif is located in the continent of");
    for fact in &file.facts {
        assert_eq!(&fact.prompt()[fact.subject_chars()], fact.subject);
        assert!(!fact.target_new.is_empty() && fact.target_new != fact.target_true);
    }
    Ok(())
}

/// The records of a table of people and empty other tables.
fn composed(people: &str, templates: &str) -> Result<Vec<serde_json::Value>> {
    let head = "name,citizenship,native_language,birthplace,deathplace,occupation,instrument,sport,also\n";
    let people = format!("{head}{people}");
    let tables: Vec<_> = compose::TABLES.iter().map(|name| (*name, "name\n")).collect();
    let tables: Vec<_> = std::iter::once(("people", people.as_str())).chain(tables.into_iter().skip(1)).collect();
    compose::compose(&tables, templates)
}

fn two_templates() -> String {
    let relations = "P27 P103 P19 P20 P106 P1303 P641 P17 P30 P131 P36 P37 P38 P159 P176 P495";
    let rows = relations.split(' ').map(|relation| format!("{relation},{{}} is of\n{relation},They say {{}} is of\n"));
    format!("relation,template\n{}", rows.collect::<String>())
}

#[test]
fn composed_facts_have_one_answer_and_neighbours() -> Result<()> {
    let rows = "Ann,Peru,,,,,,,Chile;Cuba\nBen,Peru,,,,,,,Chile;Cuba\nCat,Chile,,,,,,,\nDan,Chile,,,,,,,\n\
                Eve,Cuba,,,,,,,\nFay,Cuba,,,,,,,\nGus,Mali,,,,,,,\nGus,Peru,,,,,,,\nHal,Iran,,,,,,,\n\
                Ida,Togo,,,,,,,\nJim,Togo,,,,,,,\nAnn,Peru,,,,,,,\n";
    let records = composed(rows, &two_templates())?;
    let file = parse("facts.json", compose::write(&records).as_bytes())?;
    let subjects: Vec<_> = file.facts.iter().map(|fact| fact.subject.as_str()).collect();
    assert_eq!(subjects, ["Ann", "Ben", "Cat", "Dan", "Eve", "Fay", "Ida", "Jim"], "not Gus with two, not Hal alone");
    for fact in &file.facts {
        assert_eq!((fact.paraphrases.len(), fact.neighbourhood.len()), (1, 1), "{fact:?}");
        assert_ne!(fact.target_true, fact.target_new);
    }
    assert!(file.facts[..2].iter().all(|fact| fact.target_new == "Togo"), "what also holds is no counterfactual");
    Ok(())
}

#[test]
fn composing_names_what_is_missing() {
    let lacks = composed("", "relation,template\nP27,{} is of\n").unwrap_err();
    assert!(lacks.to_string().contains("P103"), "{lacks}");
    let one_answer = composed("Ann,Peru,,,,,,,\nBen,Peru,,,,,,,\n", &two_templates()).unwrap_err();
    assert!(one_answer.to_string().contains("Ann"), "{one_answer}");
    let ragged = composed("Ann,Peru\n", &two_templates()).unwrap_err();
    assert!(ragged.to_string().contains("people.csv"), "{ragged}");
    let no_table = compose::compose(&[], &two_templates()).unwrap_err();
    assert!(no_table.to_string().contains("people.csv"), "{no_table}");
}

#[test]
fn the_real_lre_samples() -> Result<()> {
    let Some(bytes) = shared("lre_factual/landmark_on_continent.json") else { return Ok(()) };
    let file = parse("lre.json", &bytes)?;
    assert_eq!((file.facts.len(), file.defects.len()), (947, 0));
    assert!(file.facts.iter().all(|fact| fact.template == "{} is on the continent of" && !fact.target_new.is_empty()));
    Ok(())
}
