// The trace screen: the prompt's tokens, the map and its cells, the drawer of settings, its looks.

import assert from 'node:assert/strict';
import { accessible } from './lib/axe.mjs';
import { launch, shot, show, started } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import {
  begin, cell, cursor, DAVIS, device, fill, go, inspected, inspector, map, MAPS, models, number, patched, question,
  recordOf, recovery, settings, site, tokens, traced, tracing, typing,
} from './lib/lab.mjs';
import { DIST } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';
import { bare, colours, drag, HALF, held, numbersOf, pressed, subject, token, walk } from './lib/trace.mjs';

test('a click on a token, a drag over several and the keyboard choose the subject', 60, async use => {
  const { page } = await begin(use);
  const screen = tracing(page);
  const asked = await question(page);
  const words = asked.prompt.split(' ');
  assert.equal((await pressed(page)).join(''), asked.subject.replaceAll(' ', ''), 'the tokens of the subject are marked');
  const texts = (await tokens(page).allInnerTexts()).map(bare);
  assert.equal(texts.join(''), asked.prompt.replaceAll(' ', ''), 'the tokens are those of the prompt and no others');

  await token(page, words.at(-2)).click();
  assert.deepEqual([await pressed(page), await subject(page)], [[words.at(-2)], words.at(-2)]);
  await screen.getByText(/^⚠ Stale: the form now has another subject\./).waitFor();

  await drag(page, token(page, words[1]), token(page, words[3]));
  assert.deepEqual([await pressed(page), await subject(page)], [words.slice(1, 4), words.slice(1, 4).join(' ')]);
  await shot(page, 'trace-dragged');
  // From its end to its beginning, too.
  await drag(page, token(page, words[4]), token(page, words[2]));
  assert.deepEqual([await pressed(page), await subject(page)], [words.slice(2, 5), words.slice(2, 5).join(' ')]);

  const focused = () => page.evaluate(() => document.activeElement?.closest('[data-token]')?.textContent ?? 'no token');
  await token(page, words.at(-1)).focus();
  await page.keyboard.press('Enter');
  assert.deepEqual([await pressed(page), bare(await focused())], [[words.at(-1)], words.at(-1)], 'the token keeps the focus');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Space');
  assert.deepEqual([await pressed(page), await subject(page)], [[words.at(-2)], words.at(-2)]);

  // The subject of the shown result again: its tokens and its numbers.
  await drag(page, tokens(page).first(), token(page, asked.subject.split(' ').at(-1)));
  assert.equal((await pressed(page)).join(''), asked.subject.replaceAll(' ', ''));
  assert.equal(await screen.locator('.is-stale').count(), 0);
  assert.equal(await subject(page), asked.subject);
  // Where other tokens are drawn for it, the keyboard is still at the one that was chosen.
  await token(page, words.at(-2)).focus();
  await page.keyboard.press('Enter');
  assert.deepEqual([await pressed(page), bare(await focused())], [[words.at(-2)], words.at(-2)], 'the focus stays in the prompt');
});

test('letters of several bytes, which tokenizers cut, are tokens of the prompt like others', 90, async use => {
  const { page } = await begin(use);
  await device(page, 'CPU');
  await show(page, 'Trace');
  await fill(page, { prompt: 'Zürich liegt in der', subject: 'Zürich', target: '', target_new: '' });
  await models(page).selectOption('engram-llama');
  await go(page).click();
  await traced(page);
  const chosen = async () => (await pressed(page)).join('');
  await until('the subject is marked', async () => /^Z.*ich$/.test(await chosen()), 5);
  await tokens(page).last().click();
  const { subject: asked } = Object.fromEntries(new URL(page.url()).searchParams);
  assert.ok('der'.endsWith(asked) && asked !== '', `the last token is the subject, not ${asked}`);
  await until('the last token is marked', async () => asked.endsWith(await chosen()), 5);
});

test('tokens and fields may be changed for each other at any moment', 90, async use => {
  const { page } = await begin(use);
  await device(page, 'CPU');
  await show(page, 'Trace');
  await fill(page, DAVIS);
  await models(page).selectOption('engram-llama');
  await go(page).click();
  await traced(page);
  // The engine is asked for the tokens a moment after they are shown; by then they may be gone.
  for (const pause of [0, 100, 200, 240, 260, 300]) {
    await typing(page);
    await tracing(page).getByRole('button', { name: 'Show tokens' }).click();
    await page.waitForTimeout(pause);
    await typing(page);
    await page.waitForTimeout(400);
    assert.equal(await page.locator('#crash').isVisible(), false, `the page crashes ${pause} ms after the tokens were shown`);
    await tracing(page).getByRole('button', { name: 'Show tokens' }).click();
  }
});

test('every cell that the inspector shows is the record\'s, and arrow keys lead to it', 90, async use => {
  const { page } = await begin(use);
  const { facts: [fact] } = await recordOf(page);
  const layers = fact.without_mlp.length;
  const last = fact.tokens.length - 1;
  const of = fact.subject_span[1] - 1;
  // A row of the subject, one behind it, and the last one.
  const places = [[of, 1], [of + 1, Math.ceil(layers / 2)], [last, layers - 1]];
  for (const [name, key] of Object.entries(MAPS)) {
    await site(page, name);
    for (const [row, layer] of places) {
      await walk(page, row, layer);
      assert.deepEqual(await cursor(page), [row, layer]);
      assert.match(await cell(page, row, layer).getAttribute('class'), /\bhere\b/);
      const [found, p] = [await inspected(page), patched(fact, key, row, layer)];
      const wanted = recovery(fact, p);
      assert.ok(Math.abs(found.recovery - wanted) <= HALF, `${name}, ${row}, ${layer}: ${found.recovery} and ${wanted}`);
      assert.deepEqual([found.token, found.layer], [bare(fact.tokens[row]), layer]);
      const runs = [fact.p_clean, fact.p_corrupt, p];
      for (const [at, text] of found.runs.entries()) {
        const shown = text === '<0.1 %' ? 0.0005 : number(text.replace(' %', '')) / 100;
        assert.ok(Math.abs(shown - runs[at]) <= 0.0005 + 1e-6, `${name}, ${row}, ${layer}, run ${at + 1}: ${text} and ${runs[at]}`);
      }
    }
    // All of them, as they are read out.
    const found = await numbersOf(page);
    assert.deepEqual([found.length, found[0].length], [fact.tokens.length, layers]);
    found.forEach((line, row) => line.forEach((value, at) => {
      const p = patched(fact, key, row, at + 1);
      assert.equal(value === null, p === null, `${name}, ${row}, ${at + 1}: ${value} and ${p}`);
      if (p !== null) assert.ok(Math.abs(value - recovery(fact, p)) <= HALF, `${name}, ${row}, ${at + 1}: ${value}`);
    }));
  }
});

test('a cell is held by key and by click, let go by Escape, and brought back by the address', 60, async use => {
  const { page } = await begin(use);
  const { facts: [fact] } = await recordOf(page);
  const layers = fact.without_mlp.length;
  const peak = await cursor(page);
  assert.deepEqual(held(page), [null, null], 'the peak is shown, not held');
  await map(page).focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowLeft');
  assert.deepEqual(await cursor(page), [peak[0], 1], 'no way out at the left');
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowRight');
  assert.deepEqual(await cursor(page), [peak[0], layers], 'nor at the right');
  await page.keyboard.press('ArrowDown');
  await until('the held cell in the address', () => held(page).join() === [peak[0] + 2, layers].join());
  // The mouse goes over other cells, and the held one stays.
  await cell(page, 0, 2).hover();
  assert.deepEqual(await cursor(page), [peak[0] + 1, layers]);
  await page.keyboard.press('Escape');
  await until('an address without it', () => held(page).every(part => part === null));
  await page.mouse.move(2, 2);
  await until('the peak again', async () => (await cursor(page)).join() === peak.join());
  await cell(page, 0, 3).hover();
  await until('the cell beneath the mouse', async () => (await cursor(page)).join() === '0,3');
  assert.deepEqual(held(page), [null, null], 'a look is not in the address');
  // Over another map there is a tooltip, and what is looked at does not change.
  const beside = tracing(page).locator('.companion .cell').first();
  if (await beside.isVisible()) {
    await beside.hover();
    await until('the peak again', async () => (await cursor(page)).join() === peak.join());
    await until('its tooltip', async () => /^MLP, .+, layer 1: /.test((await beside.getAttribute('title')) ?? ''));
    assert.equal(await tracing(page).getByRole('tab', { name: /^State/ }).getAttribute('aria-selected'), 'true');
  }

  await site(page, 'MLP');
  await cell(page, peak[0], 2).click();
  await until('the clicked cell in the address', () => held(page).join() === [peak[0] + 1, 2].join());
  const before = await inspected(page);
  const tab = () => tracing(page).getByRole('tab', { name: /^MLP/ }).getAttribute('aria-selected');
  await page.reload();
  await started(page);
  await map(page).waitFor();
  assert.deepEqual([await tab(), await cursor(page)], ['true', [peak[0], 2]]);
  assert.deepEqual(await inspected(page), before);
  assert.deepEqual(held(page), [peak[0] + 1, 2], 'it stays in the address');
  // The held one again lets it go.
  await cell(page, peak[0], 2).click();
  await until('an address without it', () => held(page).every(part => part === null));
});

test('cells that no map has, in an address, change nothing', 60, async use => {
  const { page, site } = await begin(use);
  const peak = await cursor(page);
  for (const query of ['?row=99&layer=99', '?row=0&layer=0', '?row=-1&layer=x', '?row=2', '?map=moon&rows=none&scale=log']) {
    await page.goto(site.url + query);
    await started(page);
    await map(page).waitFor();
    assert.deepEqual(await cursor(page), peak, query);
  }
});

test('a copied link brings the map and the cell that are looked at', 60, async use => {
  const { page } = await begin(use, { options: { context: { permissions: ['clipboard-read', 'clipboard-write'] } } });
  const { facts: [fact] } = await recordOf(page);
  await site(page, 'Attention');
  await walk(page, fact.tokens.length - 1, 2);
  const wanted = [await cursor(page), await inspected(page)];
  for (const name of ['Copy link', 'Copy link with result']) {
    await tracing(page).getByRole('button', { name, exact: true }).click();
    await tracing(page).getByText(name === 'Copy link' ? 'The link is on the clipboard.' : /^The link with the result is on the clipboard/).waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    const other = await page.context().newPage();
    await other.goto(link);
    await started(other);
    await map(other).waitFor();
    assert.equal(await tracing(other).getByRole('tab', { name: /^Attention/ }).getAttribute('aria-selected'), 'true', name);
    assert.deepEqual([await cursor(other), await inspected(other)], wanted, name);
    await other.close();
  }
});

test('a held cell is let go where its row is another one', 120, async use => {
  const { page } = await begin(use);
  const { facts: [fact] } = await recordOf(page);
  const peak = await cursor(page);
  // Whether the mouse finds the cells again, and the address names none.
  const free = async (what, row, layer) => {
    await until(`${what}: an address without a cell`, () => held(page).every(part => part === null), 5);
    await cell(page, row, layer).hover();
    await until(`${what}: the cell beneath the mouse`, async () => (await cursor(page)).join() === [row, layer].join(), 5);
    await page.mouse.move(2, 2);
  };
  await walk(page, fact.tokens.length - 1, 3);
  await settings(page, drawer => drawer.getByRole('button', { name: 'roles, averaged' }).click());
  await free('roles', 0, 2);
  await settings(page, drawer => drawer.getByRole('button', { name: 'tokens', exact: true }).click());
  await walk(page, fact.tokens.length - 1, 3);
  await settings(page, drawer => drawer.getByRole('button', { name: 'Reset to defaults' }).click());
  await page.mouse.move(2, 2);
  await until('the peak after the reset', async () => (await cursor(page)).join() === peak.join(), 5);
  await free('reset', 0, 2);
  // Another prompt has other rows.
  await walk(page, fact.tokens.length - 1, 3);
  await tracing(page).getByRole('button', { name: 'Examples' }).click();
  await tracing(page).getByRole('list', { name: 'Stored results' }).getByRole('button').nth(2).click();
  await free('an example', 0, 2);
});

test('what the model says with a cell put back agrees with the map', 180, async use => {
  const { page } = await begin(use);
  const heading = inspector(page).getByRole('heading', { name: 'With it put back the model says' });
  assert.equal(await heading.count(), 0, 'of a stored result nobody can tell');
  await fill(page, DAVIS);
  await models(page).selectOption('engram-llama');
  await go(page).click();
  await traced(page);
  await heading.waitFor({ timeout: 20_000 });
  await shot(page, 'trace-says');
  await accessible(page, 'what the model says with a cell put back');
  const { facts: [fact] } = await recordOf(page);
  const [layers, last] = [fact.without_mlp.length, fact.tokens.length - 1];
  let compared = 0;
  for (const [name, key] of Object.entries(MAPS)) {
    await site(page, name);
    for (const [row, layer] of [[fact.subject_span[1] - 1, 1], [last, 1], [last, layers - 1], [last, layers]]) {
      await walk(page, row, layer);
      // The heading keeps its room until they come.
      await inspector(page).locator('.says .word').nth(1).waitFor({ timeout: 20_000 });
      const words = await inspector(page).locator('.says .word').allInnerTexts();
      const values = await inspector(page).locator('.says .num').allInnerTexts();
      assert.ok(words.length > 1, 'several words');
      const own = await inspector(page).locator('.says .word').evaluateAll(all => all.findIndex(one => one.classList.contains('a')));
      if (own < 0) continue;
      const [said, put] = [values[own], (await inspected(page)).runs[2]].map(text => number(text.replace(/[<% ]/g, '')) / 100);
      assert.ok(Math.abs(said - put) <= 1e-3 + 1e-9, `${name}, ${row}, ${layer}: ${words[own]} ${said}, and put back ${put}`);
      assert.ok(Math.abs(said - patched(fact, key, row, layer)) <= 1e-3, `${name}, ${row}, ${layer}: ${said} of the record`);
      compared += 1;
    }
  }
  console.log(`${compared} cells compared`);
  assert.ok(compared >= 3, `the answer is among the words of ${compared} cells`);
});

test('rows averaged over roles and the √ scale are views of the same numbers', 60, async use => {
  const { page } = await begin(use);
  const { facts: [fact] } = await recordOf(page);
  const screen = tracing(page);
  const layers = fact.without_mlp.length;
  const [plain, plainColours] = [await numbersOf(page), await colours(page)];
  const drawer = screen.getByRole('complementary', { name: 'Settings' });
  const open = screen.getByRole('button', { name: 'Settings', exact: true });
  await open.click();
  assert.equal(await open.getAttribute('aria-expanded'), 'true');
  await drawer.getByRole('button', { name: '√' }).click();
  await until('other colours', async () => (await colours(page)).join() !== plainColours.join());
  assert.deepEqual(await numbersOf(page), plain, '√ changes no number');
  assert.match(page.url(), /scale=root/);
  await accessible(page, 'the drawer of settings');
  await shot(page, 'trace-settings');

  await drawer.getByRole('button', { name: 'roles, averaged' }).click();
  const [start, end] = fact.subject_span;
  const last = fact.tokens.length - 1;
  const range = (from, to) => Array.from({ length: Math.max(to - from, 0) }, (_, at) => from + at);
  // Before, first, middle, last of the subject, further, last token. A subject of one token has no first.
  const roles = [range(0, start), end - start > 1 ? [start] : [], range(start + 1, end - 1), [end - 1], range(end, last), end <= last ? [last] : []];
  const wanted = roles.filter(rows => rows.length > 0).map(rows => range(1, layers + 1).map(layer => {
    const found = rows.map(row => patched(fact, 'residual', row, layer)).filter(p => p !== null);
    return found.length > 0 ? recovery(fact, found.reduce((a, b) => a + b, 0) / found.length) : null;
  }));
  await until('a row for each role', async () => (await numbersOf(page)).length === wanted.length);
  (await numbersOf(page)).forEach((line, row) => line.forEach((value, at) => {
    const mean = wanted[row][at];
    assert.equal(value === null, mean === null, `role ${row}, layer ${at + 1}`);
    if (mean !== null) assert.ok(Math.abs(value - mean) <= HALF, `role ${row}, layer ${at + 1}: ${value} and ${mean}`);
  }));
  await shot(page, 'trace-roles');

  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'detached' });
  assert.equal(await open.getAttribute('aria-expanded'), 'false');
  await page.reload();
  await started(page);
  await map(page).waitFor();
  assert.equal((await numbersOf(page)).length, wanted.length, 'the address brings the view back');
  await settings(page, async drawer => {
    assert.equal(await drawer.getByRole('button', { name: 'roles, averaged' }).getAttribute('aria-pressed'), 'true');
    assert.equal(await drawer.getByRole('button', { name: '√' }).getAttribute('aria-pressed'), 'true');
    await drawer.getByRole('button', { name: /^add noise/ }).click();
    await drawer.getByLabel(/^Always assign a layer/).check();
    await drawer.getByRole('button', { name: 'Reset to defaults' }).click();
    const now = async name => drawer.getByRole('button', { name }).getAttribute('aria-pressed');
    const all = [/^replace subject/, /^add noise/, 'tokens', 'linear'];
    assert.deepEqual(await Promise.all(all.map(now)), ['true', 'false', 'true', 'true'].map((on, at) => (at === 1 ? 'false' : on)));
    assert.equal(await drawer.getByLabel(/^Always assign a layer/).isChecked(), false);
  });
  assert.deepEqual([await numbersOf(page), await colours(page)], [plain, plainColours]);
  const names = [...new URL(page.url()).searchParams.keys()].filter(name => ['rows', 'scale', 'map', 'noise', 'window', 'argmax-always'].includes(name));
  assert.deepEqual(names, [], 'nothing of it is left in the address');
});

/** Widths of windows: a small laptop, a large screen, a phone. */
const WIDTHS = { 1280: 720, 1920: 1080, 390: 844 };

for (const colorScheme of ['light', 'dark']) {
  test(`the trace screen fits its window, ${colorScheme}`, 120, async use => {
    const site = use(await serve(DIST));
    const wrong = [];
    for (const [width, height] of Object.entries(WIDTHS)) {
      const browser = await launch({ context: { colorScheme, viewport: { width: Number(width), height } } });
      try {
        const page = await browser.open(site.url);
        await started(page);
        await map(page).waitFor();
        const state = async what => {
          await shot(page, `trace-${width}-${colorScheme}${what ? `-${what}` : ''}`);
          await accessible(page, `${width} ${what}`).catch(error => wrong.push(error.message));
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          if (wide > 0) wrong.push(`${width} ${what}: ${wide} pixels wider than the window`);
        };
        await state('');
        const sizes = await map(page).getByRole('gridcell').evaluateAll(all => all.map(one => {
          const { width, height } = one.getBoundingClientRect();
          return [width, height];
        }));
        const [least, low] = [0, 1].map(at => Math.min(...sizes.map(size => size[at])));
        if (width === '1280' && least < 18) wrong.push(`${width}: cells are ${least} pixels wide`);
        if (low < 18) wrong.push(`${width}: cells are ${low} pixels high`);
        // Every layer of the tracks lies beneath its column of the map.
        const [first] = await map(page).locator('[data-axis]').evaluateAll(all => [all[0], all.at(-1)].map(one => one.getBoundingClientRect().x));
        const plots = await tracing(page).locator('.plot').evaluateAll(all => all.map(one => one.getBoundingClientRect().x));
        if (plots.some(x => Math.abs(x - first) > 1.5)) wrong.push(`${width}: the tracks begin at ${plots}, the map at ${first}`);
        await typing(page);
        await state('typing');
        await tracing(page).getByRole('button', { name: 'Settings', exact: true }).click();
        await state('settings');
      } finally {
        await browser.close().catch(error => wrong.push(error.message));
      }
    }
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
  });
}

/** A phone that is touched. */
const PHONE = { options: { context: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true } } };

test('a finger drags over tokens', 60, async use => {
  const { page } = await begin(use, PHONE);
  const { prompt } = await question(page);
  const words = prompt.split(' ');
  await token(page, words.at(-2)).tap();
  await until('the tapped token', async () => (await pressed(page)).join() === words.at(-2), 5);
  const middle = async one => {
    const { x, y, width, height } = await one.boundingBox();
    return { x: x + width / 2, y: y + height / 2 };
  };
  const touch = await page.context().newCDPSession(page);
  const send = (type, ...touchPoints) => touch.send('Input.dispatchTouchEvent', { type, touchPoints });
  await send('touchStart', await middle(token(page, words[1])));
  for (const at of [2, 3]) await send('touchMove', await middle(token(page, words[at])));
  await send('touchEnd');
  await until('the tokens beneath the finger', async () => (await pressed(page)).join() === words.slice(1, 4).join(), 5);
});

// A page of its own: right after a drag, Chromium takes a tap for the one that ends its fling, and makes no click of it.
test('a tap holds a cell', 60, async use => {
  const { page } = await begin(use, PHONE);
  await cell(page, 0, 2).tap();
  await until('the tapped cell', () => held(page).join() === '1,2', 5);
  await until('it is looked at', async () => (await cursor(page)).join() === '0,2', 5);
});

for (const colorScheme of ['light', 'dark']) {
  test(`the theme's button turns ${colorScheme} around, also after a reload`, 60, async use => {
    const { page } = await begin(use, { options: { context: { colorScheme } } });
    const other = colorScheme === 'light' ? 'dark' : 'light';
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const bright = async () => (await paper()).match(/\d+/g).slice(0, 3).map(Number).reduce((a, b) => a + b) > 384;
    assert.equal(await bright(), colorScheme === 'light', 'at first it is the system\'s');
    const first = await paper();
    await page.getByRole('button', { name: 'Light or dark' }).click();
    await until('the other theme', async () => (await paper()) !== first);
    assert.equal(await bright(), other === 'light');
    await accessible(page, `${other} by the button`);
    await page.reload();
    await started(page);
    assert.equal(await bright(), other === 'light', 'it is kept');
    await page.getByRole('button', { name: 'Light or dark' }).click();
    await until('the first theme', async () => (await paper()) === first);
    await page.reload();
    await started(page);
    assert.equal(await paper(), first);
  });
}

test('an older link to the Explore tab opens the Trace screen with its question', 60, async use => {
  const asked = { prompt: DAVIS.prompt, subject: DAVIS.subject, target: DAVIS.target, new: DAVIS.target_new };
  const { page } = await begin(use, { path: `?${new URLSearchParams({ tab: 'explore', ...asked, model: 'engram-phi' })}` });
  assert.equal(await page.getByRole('tab', { name: 'Trace', exact: true }).getAttribute('aria-selected'), 'true');
  assert.ok(await tracing(page).isVisible());
  assert.deepEqual(await question(page), { ...DAVIS, model: 'engram-phi', noise: 'false' });
  await until('an address of now', () => !page.url().includes('explore'));
  await tracing(page).getByText('This prompt has not been run yet.').first().waitFor();
});

test('the focus is where the keyboard left it', 60, async use => {
  const { page } = await begin(use);
  const screen = tracing(page);
  const [open, examples] = ['Settings', 'Examples'].map(name => screen.getByRole('button', { name, exact: true }));
  const focused = one => one.evaluate(element => element === document.activeElement);
  await open.focus();
  await page.keyboard.press('Enter');
  await screen.getByLabel('True answer').focus();
  await page.keyboard.press('Escape');
  const wrong = [];
  if (!(await focused(open))) wrong.push('Escape in the drawer');
  await examples.focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Escape');
  if (!(await focused(examples))) wrong.push('Escape in the examples');
  const edit = screen.getByRole('button', { name: 'Edit the prompt' });
  await edit.focus();
  await page.keyboard.press('Enter');
  assert.ok(await focused((await typing(page)).prompt), 'the field has the focus');
  await page.keyboard.press('Escape');
  if (!(await focused(edit))) wrong.push('Escape in the fields');
  assert.deepEqual(wrong, [], 'the focus is lost by');
});

test('an example is shown with its numbers, and Enter in the fields traces', 120, async use => {
  const { page } = await begin(use);
  const screen = tracing(page);
  const examples = screen.getByRole('button', { name: 'Examples' });
  await examples.click();
  const list = screen.getByRole('list', { name: 'Stored results' });
  const wanted = await list.getByRole('button').nth(1).innerText();
  await list.getByRole('button').nth(1).click();
  await list.waitFor({ state: 'detached' });
  assert.equal((await question(page)).prompt, wanted);
  assert.equal(await screen.getByText(/^⚠ Stale/).count(), 0);
  await screen.getByText(/^Stored result: /).waitFor();
  await examples.click();
  await page.keyboard.press('Escape');
  await list.waitFor({ state: 'detached' });

  const { prompt, subject } = await typing(page);
  await prompt.fill(DAVIS.prompt);
  await subject.fill(DAVIS.subject);
  await settings(page, drawer => drawer.getByLabel('Replace the subject with').fill(''));
  await prompt.press('Enter');
  await traced(page);
  const { facts: [fact], settings: used } = await recordOf(page);
  assert.deepEqual([fact.prompt, fact.subject], [DAVIS.prompt, DAVIS.subject]);
  assert.equal(used.corruption.kind, 'replace');
  const length = ([from, to]) => to - from;
  assert.equal(length(fact.corrupt_span), length(fact.subject_span), `${used.corruption.with} has as many tokens as the subject`);
  assert.ok(await tokens(page).count() > 0, 'the tokens are back');
});
