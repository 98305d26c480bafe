// For HEALTHCHECK: exit code 0 if the server in this container answers.
const port = process.env.LEGONET_HTTP_PORT || '7070';
const response = await fetch(`http://127.0.0.1:${port}/healthz`, {
  signal: AbortSignal.timeout(4000),
}).catch(() => undefined);
process.exitCode = response?.ok ? 0 : 1;
