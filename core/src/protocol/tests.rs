use super::*;
use crate::record::Settings;

#[test]
fn messages_survive_json() {
    let asks = [
        Command::Hello,
        Command::Start { device: DeviceChoice::Gpu },
        Command::Load {
            model: ModelRef::Hub { id: "a/b".into(), revision: None, file: None },
            precision: Some(Precision::F16),
        },
        Command::Undo { edit: None },
        Command::Trace(Question {
            prompt: "The capital of France is".into(),
            subject: "France".into(),
            target: Some("Paris".into()),
            target_new: None,
            corruption: Settings::default().corruption,
            positions: Settings::default().positions,
            window: 10,
            maps: true,
        }),
        Command::Study(StudyCommand { facts: None, settings: Settings::default(), key: Some("k".into()) }),
        Command::Cancel { request: 3 },
    ];
    for (at, ask) in asks.into_iter().enumerate() {
        let request = Request { id: at as u32 + 1, ask };
        let text = to_json(&request).expect("no number in it is infinite");
        assert_eq!(from_json::<Request>(&text).expect("it was just written"), request, "{text}");
    }
    let failure = Failure::from(&crate::Error::input("bad").hint("mend it"));
    let event = Message { id: 7, news: Event::Failed(failure) };
    let text = to_json(&event).expect("text");
    assert!(text.contains("\"kind\":\"input\""), "{text}");
    assert_eq!(from_json::<Message>(&text).expect("it was just written"), event);
    assert!(event.news.is_final() && !Event::Begun.is_final());
}

#[test]
fn an_older_page_gets_an_error_with_advice() {
    let error = from_json::<Request>(r#"{"id":1,"ask":{"ask":"fly"}}"#).expect_err("nobody can fly");
    assert!(error.to_string().contains("reload the page"), "{error}");
}

#[test]
fn without_a_precision_the_engine_chooses_one() {
    let text = r#"{"id":1,"ask":{"ask":"load","model":{"from":"bundled","name":"engram-llama"}}}"#;
    let request = from_json::<Request>(text).expect("a request");
    assert!(matches!(request.ask, Command::Load { precision: None, .. }), "{request:?}");
    let half = text.replace(r#""model":{"#, r#""precision":"f16","model":{"#);
    let request = from_json::<Request>(&half).expect("a request");
    assert!(matches!(request.ask, Command::Load { precision: Some(Precision::F16), .. }), "{request:?}");
    assert!(from_json::<Request>(&half.replace("f16", "f8")).is_err(), "nothing is held in f8");
}
