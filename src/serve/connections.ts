import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * The connections of a server, and which of them have a request under way. (Node.js itself takes one that
 * has not sent any yet for busy, and a stop would wait for it.)
 */
export class Connections {
  readonly #requests = new Map<Socket, number>();
  #closing = false;

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#requests.set(socket, 0);
      socket.once('close', () => this.#requests.delete(socket));
    });
    server.on('request', ({ socket }, response) => {
      this.#count(socket, 1);
      response.once('close', () => this.#count(socket, -1));
    });
  }

  /** Ends every connection: at once, or when its request is answered. */
  close(): void {
    this.#closing = true;
    for (const socket of [...this.#requests.keys()]) this.#count(socket, 0);
  }

  #count(socket: Socket, change: number): void {
    const requests = (this.#requests.get(socket) ?? 0) + change;
    if (!socket.destroyed) this.#requests.set(socket, requests);
    if (this.#closing && requests === 0) socket.end();
  }
}
