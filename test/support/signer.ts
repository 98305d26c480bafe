import { newKey, newMemory, type Signer } from '#src/publish/signer.js';

/** A key of its own, and the last checkpoint in memory. */
export function memorySigner(key = newKey()): () => Promise<Signer> {
  let last: string | null = null;
  const signer: Signer = {
    key,
    origin: key.name,
    memory: newMemory(),
    checkpoints: {
      name: 'memory',
      read: async () => last,
      write: async (checkpoint) => {
        last = checkpoint;
      },
    },
  };
  return async () => signer;
}
