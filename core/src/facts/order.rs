//! The order in which facts are taken, and the kind of a relation.

use rand_mt::Mt;
use serde::{Deserialize, Serialize};

/// The order in which a study takes `count` facts: exactly what Python's
/// `order = list(range(count)); random.Random(seed).shuffle(order)` leaves in `order` (METHODS, section 1).
///
/// Mersenne Twister seeded by `init_by_array` with the seed's 32-bit words, Fisher-Yates from the end.
pub fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let (low, high) = (seed as u32, (seed >> 32) as u32);
    let words = if high == 0 { vec![low] } else { vec![low, high] };
    let mut rng = Mt::new_with_key(words);
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, below(&mut rng, last as u64 + 1));
    }
    order
}

/// Python's `_randbelow`: as many random bits as `limit` has, again until the number is below it.
fn below(rng: &mut Mt, limit: u64) -> usize {
    let bits = u64::BITS - limit.leading_zeros();
    loop {
        let drawn = if bits <= 32 {
            u64::from(rng.next_u32() >> (32 - bits))
        } else {
            let low = u64::from(rng.next_u32());
            low | u64::from(rng.next_u32() >> (64 - bits)) << 32
        };
        if drawn < limit {
            return drawn as usize;
        }
    }
}

/// What a relation links (METHODS, section 2, "Entity / relation facts").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelationKind {
    /// A property of an entity: P27, P103, P17, P19, P131, P20.
    Entity,
    /// A relation between entities: P36, P30, P530, P37, P38.
    Relation,
    /// Every other relation, and facts without one.
    Other,
}

impl RelationKind {
    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Entity, Self::Relation, Self::Other];

    /// The name used in records and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Relation => "relation",
            Self::Other => "other",
        }
    }
}

/// The kind of a Wikidata relation id.
pub fn kind(relation: &str) -> RelationKind {
    match relation {
        "P27" | "P103" | "P17" | "P19" | "P131" | "P20" => RelationKind::Entity,
        "P36" | "P30" | "P530" | "P37" | "P38" => RelationKind::Relation,
        _ => RelationKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV-1a over the numbers, as in the Python that made the vectors:
    /// `h = 0xcbf29ce484222325; for x in order: h = ((h ^ x) * 0x100000001b3) % 2**64`.
    fn digest(order: &[usize]) -> u64 {
        order.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &x| (hash ^ x as u64).wrapping_mul(0x100_0000_01b3))
    }

    #[test]
    fn equals_python() {
        // Seed; the order of 10 and its digest; the head of the order of 1209 and its digest.
        type Vector = (u64, [usize; 10], u64, [usize; 10], u64);
        let vectors: [Vector; 5] = [
            (
                42,
                [7, 3, 2, 8, 5, 6, 9, 4, 0, 1],
                0x390c_326a_7d77_056c,
                [547, 512, 577, 1080, 888, 617, 991, 581, 385, 643],
                0xb933_13da_0ec5_c6c5,
            ),
            (
                0,
                [7, 8, 1, 5, 3, 4, 2, 0, 9, 6],
                0x4d52_a134_6489_6c4a,
                [1201, 915, 1039, 177, 524, 903, 114, 887, 702, 185],
                0x7a33_e2d4_b13f_2ea7,
            ),
            (
                7,
                [8, 3, 1, 4, 7, 0, 9, 6, 2, 5],
                0x5c37_0273_81bd_a38c,
                [1194, 596, 1042, 141, 534, 927, 327, 1104, 151, 1099],
                0x303b_772a_62e1_cd25,
            ),
            (
                (1 << 40) + 3,
                [8, 5, 6, 7, 9, 2, 4, 1, 0, 3],
                0xa357_c781_299a_66d8,
                [339, 141, 52, 849, 635, 1038, 274, 983, 930, 957],
                0xe109_88c0_b282_f2a5,
            ),
            (
                1 << 32,
                [8, 9, 3, 2, 4, 7, 0, 6, 5, 1],
                0xeada_51a5_e6bd_f866,
                [390, 246, 227, 499, 285, 137, 424, 741, 175, 994],
                0x59cc_be77_5f6d_f0d9,
            ),
        ];
        for (seed, ten, ten_digest, head, digest_1209) in vectors {
            assert_eq!(shuffled(10, seed), ten, "seed {seed}");
            assert_eq!(digest(&ten), ten_digest);
            let long = shuffled(1209, seed);
            assert_eq!(long[..10], head, "seed {seed}");
            assert_eq!(digest(&long), digest_1209, "seed {seed}");
        }
        let head = [13592, 17956, 10594, 15490, 90, 6410, 16564, 14633, 2965, 18347];
        assert_eq!(shuffled(21919, 42)[..10], head);
        assert!(shuffled(0, 42).is_empty());
        assert_eq!(shuffled(1, 42), [0]);
    }

    #[test]
    fn kinds() {
        for relation in ["P27", "P103", "P17", "P19", "P131", "P20"] {
            assert_eq!(kind(relation), RelationKind::Entity);
        }
        for relation in ["P36", "P30", "P530", "P37", "P38"] {
            assert_eq!(kind(relation), RelationKind::Relation);
        }
        for relation in ["", "P1", "P170", "p36", "P140"] {
            assert_eq!(kind(relation), RelationKind::Other);
        }
    }
}
