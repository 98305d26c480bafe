import { describe } from 'vitest';
import { engineContract } from './engine.js';

describe('the engine in WebAssembly', () => engineContract('wasm'));
