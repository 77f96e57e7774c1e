//! A real quantised model, where one is at hand. Hashes are of the values that the reference implementation gives.

use std::path::{Path, PathBuf};

use engram_core::weights::{Checkpoint, MappedFile};
use sha2::{Digest, Sha256};

const FILE: &str = "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";

/// `$ENGRAM_SHARED`, or `shared` in or beside the workspace.
fn shared() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let places = [std::env::var_os("ENGRAM_SHARED").map(PathBuf::from)];
    let beside = [workspace.join("shared"), workspace.join("../shared")].map(Some);
    places.into_iter().chain(beside).flatten().map(|folder| folder.join(FILE)).find(|file| file.is_file())
}

#[test]
#[allow(clippy::print_stderr)]
fn a_real_gguf_file_gives_the_reference_values() {
    let Some(path) = shared() else {
        eprintln!("skipped: no {FILE} under ENGRAM_SHARED, shared or ../shared");
        return;
    };
    let model = pollster::block_on(Checkpoint::open(&path, None)).unwrap();
    assert_eq!((model.parameters(true), model.dtype_name(true).as_str()), (134_515_008, "q4_1"));
    let expected = [
        ("model.embed_tokens.weight", "3fd491c8066dd9dc1a2bf6796701526c82817d95c0ecabacdef3013c2b8bbbaa"),
        ("model.layers.0.self_attn.q_proj.weight", "54b377bbfa2deab945dfdba7fb59e0ca3eb74329358bd1b53b635b3ff37c1a56"),
        ("model.layers.29.self_attn.k_proj.weight", "8e99b2450d5f3d53731f52790cc82f80b04341e533306bcfee6669ffa3c79921"),
        ("model.layers.17.mlp.down_proj.weight", "50de9ec0dc8d5e57c885c69de05a1eb4ba2bd832883642b29a6919fb39b4774c"),
        ("model.norm.weight", "3b87f8e27335e67fc08f159cabfd2d18f205d6c5b225a6f978153552bf01d559"),
    ];
    for (name, hash) in expected {
        let values = pollster::block_on(model.read_f32(name)).unwrap();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(format!("{:x}", Sha256::digest(bytes)), hash, "{name}");
    }
    let config = model.config();
    assert_eq!(config["rms_norm_eps"], 1e-5);
    assert_eq!((&config["head_dim"], &config["rope_theta"]), (&64.into(), &1e5.into()));
    let digest = pollster::block_on(model.weights_sha256()).unwrap();
    assert_eq!(digest, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53");
}

#[test]
fn an_opened_model_may_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Checkpoint>();
    crosses::<MappedFile>();
}
