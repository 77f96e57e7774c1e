// axe-core over the present state of a page.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Violations that are told but do not fail a test are less than these. */
const GRAVE = ['serious', 'critical'];

/** Fails on serious and critical violations, naming the elements. */
export async function accessible(page, state) {
  await page.evaluate(source);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const grave = violations.filter(violation => GRAVE.includes(violation.impact));
  if (grave.length === 0) return;
  const lines = grave.flatMap(({ id, impact, help, nodes }) => [
    `${impact} ${id}: ${help}`,
    ...nodes.slice(0, 4).map(node => `  ${node.target.join(' ')}  ${node.any[0]?.message ?? node.html.slice(0, 160)}`),
  ]);
  throw new Error(`${state}:\n  ${lines.join('\n  ')}`);
}
