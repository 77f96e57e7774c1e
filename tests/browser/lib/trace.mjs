// What tests of the trace screen do with its tokens and its map.

import { cell, cursor, map, number, recovery, tokens, tracing, typing } from './lab.mjs';

/** What is written of a recovery with two digits may be off by half of the last one. */
export const HALF = 0.005 + 1e-6;

export const bare = text => text.replace(/^·/, '').trim();

/** The tokens that are pressed, as text. */
export async function pressed(page) {
  return (await tracing(page).locator('.prompt-tokens [data-token][aria-pressed=true]').allInnerTexts()).map(bare);
}

/** The subject of the form. */
export async function subject(page) {
  const shown = (await tokens(page).count()) > 0;
  const value = await (await typing(page)).subject.inputValue();
  if (shown) await tracing(page).getByRole('button', { name: 'Show tokens' }).click();
  return value;
}

/** The token with this text. */
export const token = (page, text) => tokens(page).filter({ hasText: new RegExp(`^·?\\s*${text}$`) });

/** Drags the mouse from one element to another, by way of what lies between. */
export async function drag(page, from, to) {
  const [a, b] = [await from.boundingBox(), await to.boundingBox()];
  const middle = box => [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(...middle(a));
  await page.mouse.down();
  await page.mouse.move(...middle(b), { steps: 8 });
  await page.mouse.up();
}

/** Goes to a cell with arrow keys. */
export async function walk(page, row, layer) {
  await map(page).focus();
  const keys = ([now, at]) => {
    if (now !== row) return now < row ? 'ArrowDown' : 'ArrowUp';
    return at < layer ? 'ArrowRight' : 'ArrowLeft';
  };
  for (let steps = 0; steps < 100; steps++) {
    const now = await cursor(page);
    if (now[0] === row && now[1] === layer) return;
    await page.keyboard.press(keys(now));
  }
  throw new Error(`the cursor does not come to row ${row}, layer ${layer}`);
}

/** Row and layer of the address, as numbers from 1; `null` where there is none. */
export function held(page) {
  const search = new URL(page.url()).searchParams;
  return ['row', 'layer'].map(name => (search.get(name) === null ? null : Number(search.get(name))));
}

/** What the cells of the map say, row by row; `null` where there is no value. */
export async function numbersOf(page) {
  const labels = await map(page).getByRole('gridcell').evaluateAll(all => all.map(one => [one.dataset.row, one.getAttribute('aria-label')]));
  const rows = [];
  for (const [row, label] of labels) (rows[row] ??= []).push(label === null ? null : number(label));
  return rows;
}

export const colours = page => map(page).getByRole('gridcell').evaluateAll(all => all.map(one => getComputedStyle(one).backgroundColor));
