// The specs of the screens and of the engine once more, with the engine of the computer that serves the page in the worker's place.

process.env.ENGRAM_HOST = 'computer';
for (const spec of ['lab', 'trace', 'study', 'forward', 'work', 'engine']) await import(`./${spec}.test.mjs`);
