import type { Socket } from 'node:net';
import { HttpError, problem } from './problem.js';

/** What Node.js finds wrong before there is a request, and the status that it has. */
const FAULTS: Readonly<Record<string, readonly [number, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not arrive in time'],
  HPE_HEADER_OVERFLOW: [431, 'the headers are too large'],
};

/** Answers what is no HTTP, unless an answer is under way on the connection, and closes it. */
export function answerMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (!socket.writable || socket.bytesWritten > 0) {
    socket.destroy(error);
    return;
  }
  const [status, message] = FAULTS[error.code ?? ''] ?? [400, 'this is no HTTP request'];
  const { headers, body } = problem(new HttpError('invalid_request', status, message));
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = Buffer.byteLength(String(body));
  socket.end(
    `HTTP/1.1 ${status} Error\r\nconnection: close\r\ncontent-length: ${length}\r\n${lines.join('')}\r\n${body}`,
  );
}
