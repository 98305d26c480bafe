import { concat, utf8 } from './bytes.js';

export type Leaf =
  | { readonly kind: 'ingest'; readonly commitment: Uint8Array; readonly membership: Uint8Array }
  | { readonly kind: 'delete'; readonly commitment: Uint8Array; readonly request: Uint8Array };

export function encodeLeaf(leaf: Leaf): Uint8Array {
  const tag = utf8(`legonet.${leaf.kind}.v1\n`);
  return concat(tag, leaf.commitment, leaf.kind === 'ingest' ? leaf.membership : leaf.request);
}
