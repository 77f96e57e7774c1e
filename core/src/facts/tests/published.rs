//! Files as they are published, and what is wrong with some of them.

use super::*;

/// A record of counterfact-tracing.
const TRACING: &str = r#"{"relation": "The mother tongue of {} is", "relation_prefix": "The mother tongue of", "relation_suffix": "is",
    "prompt": "The mother tongue of Danielle Darrieux is", "relation_id": "P103", "target_false_id": "Q1860",
    "target_true_id": "Q150", "target_true": " French", "target_false": " English", "subject": "Danielle Darrieux"}"#;

fn said(bytes: &[u8]) -> String {
    parse("x", bytes).expect_err("it is refused").to_string()
}

fn read(text: &str) -> FactFile {
    parse("x", text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn counterfact_tracing_is_read_as_it_is_meant() {
    let wanted = Fact {
        id: "0".into(),
        relation: "P103".into(),
        template: "The mother tongue of {} is".into(),
        subject: "Danielle Darrieux".into(),
        target_true: "French".into(),
        target_new: "English".into(),
        ..Fact::default()
    };
    let line = TRACING.replace('\n', " ");
    let csv = "relation,prompt,relation_id,target_true,target_false,subject\nThe mother tongue of {} is,\
               The mother tongue of Danielle Darrieux is,P103, French, English,Danielle Darrieux\n";
    let viewer = format!(
        "{{\"features\": [{{}}], \"rows\": [{{\"row_idx\": 0, \"row\": {TRACING}, \"truncated_cells\": []}}]}}"
    );
    let data = format!("{{\"version\": 1, \"data\": [{TRACING}]}}");
    let lines = format!("\u{feff}\r\n{line}\r\n\r\n");
    for text in [format!("[{TRACING}]").as_str(), TRACING, csv, &viewer, &data, &lines] {
        let file = read(text);
        assert_eq!(file.facts, std::slice::from_ref(&wanted), "{text}");
        assert_eq!(file.warnings, [""; 0], "{text}");
    }
}

#[test]
fn relations_by_their_id_or_else_by_their_name() {
    let relation = |columns: &str, values: &str| {
        let table = format!("prompt,subject,target,target_new,{columns}\nA is,A,b,c,{values}\n");
        read(&table).facts[0].relation.clone()
    };
    assert_eq!(relation("relation,relation_id", "born in,P19"), "P19");
    assert_eq!(relation("relation_id,relation", "P19,born in"), "P19");
    assert_eq!(relation("relation", "P19"), "P19");
    assert_eq!(relation("relation", "born in"), "born in");
    assert_eq!(relation("relation,relation_id", "born in,"), "born in");
    assert_eq!(relation("relation,relation_id", "P19,17"), "P19");
    assert_eq!(relation("relation,relation_id", "born in,17"), "17");
}

#[test]
fn json_knows_every_name_that_csv_knows() {
    for names in [["id", "template", "object"], ["known_id", "prompt", "target"], ["case_id", "src", "answers"]] {
        let [id, prompt, target] = names;
        let text = format!(
            "[{{\"{id}\": 9, \"{prompt}\": \"In {{}}\", \"subject\": \"A\", \"{target}\": \"b\", \"alt\": \"c\"}}]"
        );
        let fact = &read(&text).facts[0];
        assert_eq!((fact.id.as_str(), fact.template.as_str()), ("9", "In {}"), "{text}");
        assert_eq!((fact.target_true.as_str(), fact.target_new.as_str()), ("b", "c"), "{text}");
    }
    // EasyEdit: several answers are true, and one further wording.
    let text = r#"[{"subject": "A", "prompt": "Who is A?", "target_new": "c", "ground_truth": ["b", "d"], "rephrase_prompt": "A?"}]"#;
    let fact = &read(text).facts[0];
    assert_eq!((fact.target_true.as_str(), &fact.paraphrases[..]), ("b", &["A?".to_owned()][..]));
}

#[test]
fn what_follows_from_a_new_answer_is_read_from_knowedit_and_easyedit() {
    let record = |rest: &str| {
        read(&format!(
            r#"[{{"subject": "A", "prompt": "A is", "target_new": "c", "ground_truth": "b", "portability": {rest}}}]"#
        ))
    };
    let implied = |rest: &str| -> Vec<(String, String)> {
        let file = record(rest);
        assert_eq!(file.warnings, [""; 0], "{rest}");
        file.facts[0].portability.iter().map(|one| (one.prompt.clone(), one.answer.clone())).collect()
    };
    let pair = |prompt: &str, answer: &str| (prompt.to_owned(), answer.to_owned());
    let knowedit = r#"{"Reasoning": [{"prompt": "P1", "ground_truth": [["x", "y"]]}, {"prompt": "P2", "ground_truth": ["z"]}],
        "Subject_Aliasing": [{"prompt": "P3", "ground_truth": "w"}], "Logical_Generalization": []}"#;
    assert_eq!(implied(knowedit), [pair("P1", "x"), pair("P2", "z"), pair("P3", "w")]);
    let easyedit = r#"{"Recalled Relation": "(A, is, c)", "New Question": "Q?", "New Answer": "x"}"#;
    assert_eq!(implied(easyedit), [pair("Q?", "x")]);
    for nothing in ["null", "{}", "[]", "\"a text\"", r#"{"Reasoning": [{"prompt": "P1", "ground_truth": []}]}"#, "7"] {
        assert_eq!(implied(nothing), [], "{nothing}");
    }
}

#[test]
fn a_new_answer_keeps_its_id() {
    let text = r#"[{"requested_rewrite": {"prompt": "{} is", "subject": "A", "target_true": {"str": "b", "id": "Q1"},
        "target_new": {"str": "c", "id": "Q2"}}}, {"subject": "A", "prompt": "A is", "target_true": "b", "target_new": "c"}]"#;
    let facts = read(text).facts;
    assert_eq!((facts[0].target_new.as_str(), facts[0].target_new_id.as_str()), ("c", "Q2"));
    assert_eq!(facts[1].target_new_id, "");
}

#[test]
fn a_sentence_says_which_of_two_places_is_the_subjects() {
    let text = r#"[{"subject": "it", "prompt": "Say it: it is", "template": "Say it: {} is", "attribute": "b"},
                   {"subject": "it", "prompt": "Say it: it is", "template": "Say {} is", "attribute": "c"}]"#;
    let file = read(text);
    assert_eq!([&file.facts[0].template, &file.facts[1].template], ["Say it: {} is", "Say {}: it is"]);
}

#[test]
fn one_record_with_a_defect_does_not_end_a_file() {
    let good = r#"{"subject": "A", "prompt": "A is", "attribute": "b", "target_new": "c"}"#;
    let bad = [
        r#"{"case_id": 51, "subject": "Q", "prompt": "A is", "attribute": "b", "target_new": "c"}"#,
        r#"{"case_id": 52, "subject": "A", "prompt": "{} and {}", "attribute": "b", "target_new": "c"}"#,
        r#"{"case_id": 53, "subject": "A", "prompt": 7, "attribute": "b", "target_new": "c"}"#,
        r#"{"case_id": 54, "subject": "A", "prompt": "A is", "target_new": "c"}"#,
        r#"{"case_id": 55, "subject": "A", "prompt": "A is", "attribute": "b", "target_new": ["c", 1]}"#,
        r#"{"case_id": 56, "subject": "A", "prompt": "A is", "attribute": "b", "target_new": "c", "paraphrase_prompts": [1]}"#,
        r#"{"case_id": 57, "subject": "Q", "prompt": "A is", "attribute": "b", "target_new": "c"}"#,
    ];
    let file = read(&format!("[{good}, {}]", bad.join(", ")));
    let ids: Vec<&str> = file.facts.iter().map(|fact| fact.id.as_str()).collect();
    assert_eq!(ids, ["0", "51", "52", "53", "54", "55", "56", "57"], "every fact stays in its place");
    assert_eq!(
        file.warnings,
        [
            "2 facts are excluded: the subject is not in the prompt: 51 at record 2, 57 at record 8",
            "1 fact is excluded: the prompt has more than one {}: 52 at record 3",
            "1 fact is excluded: prompt is a number: 53 at record 4",
            "1 fact is excluded: target_true is missing: 54 at record 5",
            "1 fact is excluded: target_new is a list: 55 at record 6",
            "1 fact is read without that: paraphrase_prompts is a number: 56 at record 7",
        ]
    );
    // What is excluded has no place for a subject, or an empty field.
    for fact in &file.facts[1..] {
        let whole = fact.template.contains(SLOT) && !fact.target_true.is_empty() && !fact.target_new.is_empty();
        assert_eq!(whole, fact.id == "56", "{fact:?}");
        assert!(whole || fact.subject_chars().is_empty() || fact.target_true.is_empty() || fact.target_new.is_empty());
    }
    // A file of other records is known for what it is without reading all of it.
    let other = format!("[{}{good}]", "{\"a\": 1},".repeat(1000));
    assert!(said(other.as_bytes()).contains("x: record 1: subject is missing\nhint: the record has: a."));
    assert_eq!(read(&format!("[{}{good}]", "{\"a\": 1},".repeat(999))).facts.len(), 1000);
    assert_eq!(file.facts[2].prompt(), "A and A");
    let strict = file.strict().expect_err("there are defects").to_string();
    assert!(strict.contains("x: fact 51 at record 2: prompt: the subject \"Q\" is not in"), "{strict}");
    assert!(strict.contains("7 defects in all") && read(&format!("[{good}]")).strict().is_ok(), "{strict}");
}

#[test]
fn rows_of_another_length_are_one_rows_defect_unless_a_quote_is_open() {
    let file = read("id,prompt,subject,target,target_new\n7,A is,A,b,c\n8,A, is,A,b,c\n9,B is,B,b,c\n");
    assert_eq!(
        file.warnings,
        ["1 fact is excluded: the header has 5 fields, the row another number: 1 at row 2 (line 3)"]
    );
    assert_eq!((file.facts.len(), file.facts[2].id.as_str()), (3, "9"));
    let open = said(b"prompt,subject,target\nA is,A,b\n\"B is,B,b\nC is,C,b\nD is,D,b\n");
    assert!(open.contains("x: row 2 (line 3): a field goes on over lines") && open.contains("quote"), "{open}");
    let twice = said(b"prompt,subject,target,Prompt\nA is,A,b,c\n");
    assert!(twice.contains("has the column Prompt twice"), "{twice}");
    let lists = read("prompt,subject,target,answers\nA is,A,b,['c']\nB is,B,b,['c']\n");
    assert_eq!(lists.facts[0].target_true, "b");
    let lists = said(b"prompt,subject,ground_truth\nA is,A,\"['c', 'd']\"\n");
    assert!(lists.contains("ground_truth is a list written as text"), "{lists}");
}

#[test]
fn lines_are_named_and_what_is_cut_off_is_damage() {
    let line = |subject: &str| {
        format!("{{\"subject\": \"{subject}\", \"prompt\": \"A is\", \"attribute\": \"b\", \"target_new\": \"c\"}}")
    };
    let (good, other) = (line("A"), line("Q"));
    let file = read(&format!("\n{good}\n\n{other}\n{good}"));
    assert_eq!(file.warnings, ["1 fact is excluded: the subject is not in the prompt: 1 at line 4"]);
    let packed = gz::pack(format!("{good}\n{good}\n").as_bytes()).expect("gzip");
    assert_eq!(parse("x", &packed).expect("facts").facts.len(), 2);
    for (text, wanted) in [
        (format!("{good}\n{}", &good[..20]), "x: not valid JSON: line 2, column 20: EOF"),
        (format!("{good}\n{good},\n"), "x: not valid JSON: line 2, column"),
        (format!("{good}\n\n7\n"), "x: not valid JSON: line 3, column 1: invalid type: integer"),
        (format!("{other}\n{other}\n"), "x: line 1: prompt: the subject \"Q\""),
        ("{\"a\": 1}\n{\"b\": 1}\n".into(), "x: line 1: subject is missing\nhint: the record has: a."),
    ] {
        let said = said(text.as_bytes());
        assert!(said.contains(wanted), "{text}: {said}");
    }
}

#[test]
fn objects_are_looked_into_for_their_records() {
    let record = r#"{"subject": "A", "prompt": "A is", "attribute": "b", "target_new": "c"}"#;
    for (text, wanted) in [
        (r#"{"prompt": {"0": "A is"}, "subject": {"0": "A"}}"#, "x: a JSON object of columns"),
        (r#"{"prompt": ["A is"], "subject": ["A"]}"#, "orient=\"records\""),
        (r#"{"train": [], "test": []}"#, "several arrays: train, test"),
        (r#"{"data": [1]}"#, "record 1: invalid type: integer"),
        (r#"{"rows": [{"row": {"a": 1}}]}"#, "the record has: row; in row: a."),
    ] {
        let said = said(text.as_bytes());
        assert!(said.contains(wanted), "{text}: {said}");
    }
    assert_eq!(read(&format!("{{\"facts\": [{record}]}}")).facts.len(), 1);
    // What the dataset viewer has cut off is no text of the data set.
    let cut =
        format!("{{\"rows\": [{{\"row\": {record}}}, {{\"row\": {record}, \"truncated_cells\": [\"prompt\"]}}]}}");
    assert_eq!(read(&cut).warnings[0], "1 fact is excluded: prompt is cut off by the dataset viewer: 1 at record 2");
    assert!(said(format!("[{record}, {{\"subject\": 1, \"subject\": 2}}]").as_bytes()).contains("duplicate field"));
}

#[test]
fn samples_share_the_wordings_of_their_file() {
    let text = r#"{"name": "country capital city", "prompt_templates": ["The capital city of {} is", "The capital of {} is"],
        "prompt_templates_zs": ["What is the capital of {}?"], "properties": {"domain_name": "country"},
        "samples": [{"subject": "Canada", "object": "Ottawa"}, {"subject": "Chad", "object": "N'Djamena", "prompt": "{} has"}]}"#;
    let file = read(text);
    let [canada, chad] = &file.facts[..] else { panic!("two facts") };
    assert_eq!(
        (canada.template.as_str(), canada.relation.as_str()),
        ("The capital city of {} is", "country capital city")
    );
    assert_eq!(
        (&canada.paraphrases[..], canada.target_new.as_str()),
        (&["The capital of Canada is".to_owned()][..], "N'Djamena")
    );
    assert_eq!(chad.prompt(), "Chad has");
}

#[test]
fn spreadsheets() {
    let rows = ["id;prompt;subject;target;target_new", "9;In Rome, it;Rome;x;y"];
    for head in ["sep=;", "\"sep=;\"", "sep=;;;;;", "SEP=;\r"] {
        let file = read(&format!("\u{feff}{head}\n{}\n{}\n", rows[0], rows[1]));
        assert_eq!(file.facts[0].template, "In {}, it", "{head}");
    }
    // It names the delimiter even where the header could be of another.
    let file = read("sep=|\nid|prompt|subject|target,x|target_true|target_new\n9|A is|A|b|x|y\n10|B is|A|b|x|y\n");
    assert_eq!(file.warnings, ["1 fact is excluded: the subject is not in the prompt: 10 at row 2 (line 4)"]);
    assert!(said(b"sep=,\n").contains("no column prompt"));

    let table = "prompt\tsubject\ttarget\ttarget_new\r\nÎle 日本 is\t日本\t😀\ty\r\n";
    for wide in [u16::to_le_bytes, u16::to_be_bytes] {
        let bytes: Vec<u8> = "\u{feff}".encode_utf16().chain(table.encode_utf16()).flat_map(wide).collect();
        for bytes in [bytes.clone(), gz::pack(&bytes).expect("gzip")] {
            let file = parse("x", &bytes).expect("UTF-16 is read");
            assert_eq!((file.facts[0].template.as_str(), file.facts[0].target_true.as_str()), ("Île {} is", "😀"));
        }
        assert!(said(&bytes[..bytes.len() - 1]).contains("not UTF-16 text (line 2)"));
        assert!(said(&bytes[2..]).contains("UTF-16 without a byte order mark"));
    }
    let latin = said(b"prompt,subject,target\nCaf\xe9 is,Caf\xe9,b\n");
    assert!(latin.contains("not UTF-8 text (line 2): byte 0xe9") && latin.contains("Windows-1252"), "{latin}");
}

#[test]
fn other_files_are_named_for_what_they_are() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:1234\nsize 100\n";
    for (bytes, wanted) in [
        (&pointer[..], "x: this is a Git LFS pointer, not the file itself\nhint: run `git lfs pull`"),
        (b"PK\x03\x04\x14\0\x08\0\x08\0\0\0!\0[Content_Types].xml \xa2", "x: this is an Excel workbook"),
        (b"ARROW1\0\0\xff\xff\xff\xff", "Arrow (Feather)"),
        (b"SQLite format 3\0", "SQLite database"),
        (b"%PDF-1.7\n%\xe2", "PDF document"),
        (b"\x80\x04\x95\x10\0\0\0\0\0\0\0", "Python pickle"),
    ] {
        let plain = said(bytes);
        assert!(plain.contains(wanted), "{plain}");
        let packed = said(&gz::pack(bytes).expect("gzip"));
        assert!(packed.contains(&wanted[wanted.len() - 8..]), "{packed}");
        // Records are read from files, too.
        let record = crate::journal::read_bytes("x", bytes).expect_err("no record").to_string();
        assert_eq!(record, plain);
    }
}
