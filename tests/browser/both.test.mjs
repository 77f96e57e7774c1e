// The specs of the screens once more, with the engine of the computer that serves the page in the worker's place.

process.env.ENGRAM_HOST = 'computer';
for (const spec of ['lab', 'trace', 'study', 'forward']) await import(`./${spec}.test.mjs`);
