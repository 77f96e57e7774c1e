// The native program's answers, to hold the browser's against.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from './paths.mjs';
import { apart, numbers, same } from './check.mjs';

/** Probabilities of the browser and of the native CPU differ by so much at most. */
export const WITHIN = 1e-4;

/** The record of one fact, computed on the CPU. Settings of a record ask for the same trace. */
export function nativeTrace(model, { prompt, subject, target, target_new, window = 3, maps = true, readings, corruption }) {
  const question = ['trace', prompt, '--subject', subject, '--model', model];
  const patched = readings ? ['--positions', readings.join()] : [];
  const answers = [['--target', target], ['--target-new', target_new]].filter(([, text]) => text).flat();
  const instead = corruption?.kind === 'replace' ? ['--replace-with', corruption.with] : [];
  const hidden = corruption?.kind === 'noise' ? ['--corruption', 'noise'] : instead;
  const map = maps ? ['--window', String(window)] : ['--no-map'];
  const all = [...question, ...answers, ...patched, ...hidden, ...map, '--device', 'cpu', '--json', '--quiet'];
  return JSON.parse(execFileSync(program(), all, { encoding: 'utf8', maxBuffer: 1 << 28 }));
}

/**
 * Holds every number and text of the native fact against the browser's, and says how many there were. What the browser
 * has beyond the native record (such as the logit lens) is not looked at here.
 */
export function agree(fact, native) {
  const part = Object.fromEntries(Object.keys(native).map(name => [name, fact[name]]));
  // Ranks of tokens that are nearly as probable as each other may change places.
  const exact = ({ lens, ...rest }) => (lens ? { ...rest, lens: { p_true: lens.p_true, p_false: lens.p_false } } : rest);
  same(exact(part), exact(native), WITHIN, 'browser and native program');
  const spread = Math.max(...native.patched['last-token']) - Math.min(...native.patched['last-token']);
  if (spread < 1e-3) throw new Error(`this question shows nothing: the patches differ by ${spread} only`);
  return `${numbers(exact(native)).length} numbers, at most ${apart(exact(part), exact(native)).toExponential(1)} apart`;
}

/** An edit of one fact, computed on the CPU: its raw values. */
export function nativeEdit(model, { prompt, subject, target, target_new, layer }, options) {
  const question = ['edit', prompt, '--subject', subject, '--target', target, '--new', target_new, '--model', model];
  const all = [...question, '--layer', String(layer), ...options, '--device', 'cpu', '--json', '--quiet'];
  return JSON.parse(execFileSync(program(), all, { encoding: 'utf8', maxBuffer: 1 << 28 })).edit;
}

/** A small study of a model, as text: all three stages, maps for its first fact. */
export function nativeStudy(model, options = []) {
  const out = mkdtempSync(join(tmpdir(), 'engram-study-'));
  const given = ['study', '--model', model, '--facts', 'bundled', '-n', '4', '--edit-facts', '2', '--maps', '1'];
  try {
    const rest = ['--device', 'cpu', '--quiet', '--fresh', '--out', out];
    execFileSync(program(), [...given, ...options, ...rest], { stdio: 'ignore' });
    return readFileSync(join(out, `${model.split('/').at(-1)}.engram.json`), 'utf8');
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** SHA-256 of a file, in hexadecimal digits. */
export function sha256(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
