// Starts the viewer of a result page; what binds it to the browser stands above. Nothing of this asks a server.

try {
  const text = atob(document.getElementById('engram-viewer').textContent);
  const packed = new Blob([Uint8Array.from(text, letter => letter.charCodeAt(0))]);
  const plain = packed.stream().pipeThrough(new DecompressionStream('gzip'));
  await __wbg_init({ module_or_path: await new Response(plain).arrayBuffer() });
} catch (error) {
  const crash = document.getElementById('crash');
  crash.textContent = `The interactive viewer failed (${error?.message ?? error}). The article itself is complete.`;
  crash.hidden = false;
  throw error;
}
