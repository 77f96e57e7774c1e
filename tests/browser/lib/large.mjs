// Studies as large as they come, of numbers in which no packer finds anything: every float has a full mantissa.

/** How large. */
export const SIZE = { layers: 30, facts: 500, maps: 3, tokens: 12, edits: 15, losses: 251 };

/** Numbers in [0, 1) from a seed (mulberry32). */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The fewest digits of a number that is an f32, so that the JSON holds what the program would write. */
function short(value) {
  for (let digits = 6; digits < 10; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return text;
  }
  return value;
}

/**
 * A study of a model that never was, shaped like a real one: both patch positions, three ablations, second passes, maps, edits
 * with their curves of losses. `like` is a real record, which gives the settings and texts.
 */
export function large(like, name, seed, size = SIZE) {
  const next = random(seed);
  const p = () => short(Math.fround(0.02 + 0.96 * next()));
  const curve = (length = size.layers) => Array.from({ length }, p);
  const words = ['The', ' instrument', ' that', ' Sub', 'ject', ' One', ' plays', ' is', ' the', ' old', ' grand', ' '];
  const tokens = Array.from({ length: size.tokens }, (_, at) => words[at % words.length]);
  const second = (reading, ablated) => [reading, { ablated, patched: curve().map((value, at) => (at + 1 === ablated ? null : value)) }];
  const fact = order => {
    const traced = {
      order, id: String(10_000 + order), relation: ['P27', 'P36', 'P103', 'P1303'][order % 4], prompt: `The instrument that Subject ${order} plays is the`,
      subject: `Subject ${order}`, target_true: 'piano', target_new: 'guitar', outcome: 'validated',
      tokens, subject_span: [3, 6], corrupt_tokens: tokens, corrupt_span: [3, 6],
      p_clean: short(Math.fround(0.6 + 0.4 * next())), p_corrupt: short(Math.fround(0.3 * next())), p_false: p(),
      patched: { 'subject-last': curve(), 'last-token': curve() },
      without_block: curve(), without_attention: curve(), without_mlp: curve(),
      redundancy: Object.fromEntries([second('subject-last', 1 + (seed % size.layers)), second('last-token', size.layers)]),
    };
    const map = () => tokens.map(() => curve());
    if (order < size.maps) traced.maps = { window: 3, residual: map(), mlp: map(), attention: map() };
    return traced;
  };
  const shift = () => ({ prompt: 'What Subject plays is the', p_true: [p(), p()], p_false: [p(), p()] });
  const edit = order => ({
    fact: order, layer: 1 + Math.floor(next() * size.layers), seed: 42, p_true: p(), p_false: p(), p_true_after: p(), p_false_after: p(),
    loss: curve(size.losses), relative_change: p(), residual: p(), restored: true,
    paraphrases: Array.from({ length: 5 }, shift), neighbourhood: Array.from({ length: 5 }, shift),
    unrelated: Array.from({ length: 20 }, (_, at) => ({ fact: size.edits + at, p_true: [p(), p()], flipped: next() < 0.2 })),
  });
  const list = (length, one) => Array.from({ length }, (_, at) => one(at));
  return {
    ...like,
    model: { ...like.model, name, layers: size.layers, parameters: 1_000_000 * (seed + 1) },
    settings: { ...like.settings, n: size.facts, maps: size.maps },
    facts: list(size.facts, fact),
    edits: list(size.edits, edit),
  };
}
