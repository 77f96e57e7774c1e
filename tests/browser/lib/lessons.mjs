// Lessons: their files, read here once more and by other means, and the native program's numbers for what their texts name.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nativeEdit, nativeTrace } from './native.mjs';
import { BUNDLED, OUT, ROOT } from './paths.mjs';

const FOLDER = join(ROOT, 'web', 'lessons');

/** Names of the lessons' files, in their order. */
export const files = readFileSync(join(FOLDER, 'index.txt'), 'utf8').split('\n').filter(line => line.endsWith('.md'));

/** A lesson: its title and steps, each with the block's fields and the texts as they are written. */
export function lesson(name) {
  const text = readFileSync(join(FOLDER, name), 'utf8');
  const [head, ...parts] = text.split(/^## /m);
  const steps = parts.map(part => {
    const [, fields] = /```ask\n([\s\S]*?)```/.exec(part);
    const lines = fields.trim().split('\n').map(line => line.split(/ = (.*)/));
    const ask = Object.fromEntries(lines.map(([field, value]) => [field, JSON.parse(value)]));
    const section = title => new RegExp(`^### ${title}\\n([\\s\\S]*?)(?=^### |$(?![\\s\\S]))`, 'm').exec(part)?.[1].trim() ?? '';
    return { title: part.split('\n')[0].trim(), ask, result: section('Result'), expected: section('Expected') };
  });
  return { title: /^# (.*)/m.exec(head)[1], steps };
}

const traces = new Map();

/** The native record of a step's question; each is computed once. */
function traced(model, { prompt, subject, instead, target, show }) {
  const key = JSON.stringify([model, prompt, subject, instead, target]);
  const maps = show?.includes('tokens') ?? false;
  if (!traces.get(key) || (maps && !traces.get(key).facts[0].maps)) {
    const corruption = instead ? { kind: 'replace', with: instead } : undefined;
    traces.set(key, nativeTrace(join(BUNDLED, model), { prompt, subject, target, corruption, maps, window: 1 }));
  }
  return traces.get(key);
}

/** What the native program measures for a step. */
export function native(ask) {
  const found = { record: traced(ask.model, ask), beside: ask.beside && traced(ask.beside, ask) };
  if (ask.measure === 'edit') {
    const target = found.record.facts[0].target_true.trim();
    found.edit = nativeEdit(join(BUNDLED, ask.model), { ...ask, target, target_new: ask.new, layer: ask.layer }, []);
  }
  return found;
}

/** A value for each layer, by the name that lessons have for it. */
export function curve(record, name) {
  const [fact] = record.facts;
  const recovery = p => (p - fact.p_corrupt) / (fact.p_clean - fact.p_corrupt);
  const lost = p => fact.p_clean - p;
  switch (name) {
    case 'subject': return fact.patched['subject-last'].map(recovery);
    case 'last': return fact.patched['last-token'].map(recovery);
    case 'block': return fact.without_block.map(lost);
    case 'attention': return fact.without_attention.map(lost);
    case 'mlp': return fact.without_mlp.map(lost);
    case 'lens': return fact.lens.p_true;
    case 'second': return fact.redundancy['subject-last'].patched;
    default: throw new Error(`${name} is no curve`);
  }
}

const rose = ([before, after]) => after - before >= 0.05;
const fell = ([before, after]) => before - after >= 0.05 && after <= before / 2;
const taken = shift => rose(shift.p_false) && shift.p_false[1] > shift.p_true[1];
const count = (all, holds) => all.filter(holds).length;

function edited(edit, name) {
  return {
    'edit.old': edit.p_true,
    'edit.old-after': edit.p_true_after,
    'edit.new': edit.p_false,
    'edit.new-after': edit.p_false_after,
    'edit.layer': edit.layer,
    'edit.follow': count(edit.paraphrases, taken),
    'edit.wordings': edit.paraphrases.length,
    'edit.harmed': count(edit.neighbourhood, shift => fell(shift.p_true) || taken(shift)),
    'edit.neighbours': edit.neighbourhood.length,
    'edit.unrelated-harmed': count(edit.unrelated, one => one.flipped || fell(one.p_true)),
    'edit.unrelated': edit.unrelated.length,
  }[name];
}

/** A value that a text names. */
export function value(found, text) {
  for (const sign of [' - ', ' / ']) {
    const [first, second] = text.split(sign);
    if (second !== undefined) {
      const [a, b] = [value(found, first), value(found, second)];
      return sign === ' - ' ? a - b : a / b;
    }
  }
  if (!Number.isNaN(Number(text))) return Number(text);
  if (text.startsWith('beside.')) return value({ record: found.beside }, text.slice('beside.'.length));
  if (text.startsWith('edit.')) return edited(found.edit, text);
  const [fact] = found.record.facts;
  const simple = { clean: fact.p_clean, corrupt: fact.p_corrupt, layers: found.record.model.layers, tokens: fact.tokens.length };
  if (text in simple) return simple[text];
  if (text === 'second.ablated') return fact.redundancy['subject-last'].ablated;
  const [name, of] = text.split('.');
  const values = curve(found.record, name);
  const most = Math.max(...values.filter(value => value !== null));
  switch (of) {
    case 'layer': return values.indexOf(most) + 1;
    case 'peak': return most;
    case 'from': return values.findIndex(value => value >= most / 2) + 1;
    case 'mean': return values.reduce((sum, value) => sum + value, 0) / values.length;
    default: return values[Number(of) - 1];
  }
}

/** Names of the values in a text that are numbers, in their order. */
export const named = text => [...text.matchAll(/\{([^}]+)\}/g)].map(found => found[1].trim())
  .filter(name => !['subject', 'answer', 'instead', 'prompt', 'model', 'beside', 'new', 'mine', 'best', 'says'].includes(name));

/** A number as the page writes it: per cent as a share. */
export function read(text) {
  // Less than is written: somewhere below it.
  if (text.startsWith('<')) return 0.0005;
  const number = Number(text.replace('−', '-').replace(/%|points/, '').trim());
  return inHundredths(text) ? number / 100 : number;
}

const inHundredths = text => /%|points/.test(text);

/** How far what is written may be from what was measured: half of the last digit, and what engines differ by. */
export const slack = (text, edit) => (inHundredths(text) ? 0.0006 : text.includes('.') ? 0.006 : 1e-9) + (edit ? 0.02 : 2e-4);

/** Keeps what somebody predicted and saw. */
export function keep(number, lines) {
  const folder = join(OUT, 'lessons');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `lesson-${number}.md`), `${lines.join('\n')}\n`);
}
