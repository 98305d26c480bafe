/**
 * TensorFlow behind one small port: image encoders and softmax adapters run on it. Either of two:
 *
 * - `native`: TensorFlow's C library through @tensorflow/tfjs-node (`npm run install:tensorflow`);
 * - `wasm`: its WebAssembly backend, where the native library cannot be installed; 3 to 5 times slower.
 *
 * Their floating-point bits differ from each other. An engine is opened in a worker thread, for it blocks
 * the thread that it runs in, and only by those who need one: it takes half a second and 230 MB.
 */
export const ENGINES = ['native', 'wasm'] as const;
export type Engine = (typeof ENGINES)[number];

/** What computed: for the manifest of whatever was computed with floating-point numbers. */
export type EngineDescription = {
  readonly engine: Engine;
  /** Version of TensorFlow.js. */
  readonly tensorflowJs: string;
  /** Version of the C library; null on `wasm`. */
  readonly tensorflow: string | null;
  /** What the code is compiled for: `x64` and so on; `wasm32-simd`. */
  readonly architecture: string;
  /**
   * SHA-256, hex, over the bits of a small fixed computation. Two engines of which it differs compute other bits;
   * one that is the same is the same kernels on the same kind of processor.
   */
  readonly probe: string;
};

/** A TensorFlow.js model as its files hold it; the caller has checked their digests. */
export type ImageModel = {
  /** model.json, parsed: a layers or a graph model. */
  readonly manifest: unknown;
  /** The weight files that it names, one after the other in its order. */
  readonly weights: Uint8Array;
};

export type ImageEncoderOptions = {
  /** The layer (layers model) or tensor (graph model) whose output is the encoding. Default: the model's. */
  readonly output?: string;
  /** What images are resized to, and the model's input is set to. */
  readonly height: number;
  readonly width: number;
  /** Of `tf.image.resizeBilinear`; both are false by default, as they are there. */
  readonly alignCorners?: boolean;
  readonly halfPixelCenters?: boolean;
  /** The model sees `pixel / divisor - offset`, after resizing: 127.5 and 1 map 0 ... 255 to -1 ... 1. */
  readonly divisor: number;
  readonly offset: number;
};

/** Images of one size: `values` [count, height, width, 3], row-major, red, green, blue. */
export type Images = {
  readonly values: Uint8Array | Float32Array;
  readonly count: number;
  readonly height: number;
  readonly width: number;
};

export interface ImageEncoder {
  readonly description: EngineDescription;
  /** Numbers to an encoding. */
  readonly dimension: number;
  /** How many calls of `encode` are worked on at the same time; more wait. */
  readonly parallel: number;
  /**
   * Encodings of the images, float32 [count, dimension]. An image's bits do not depend on the others of its
   * call. Throws `engine_images` if the values are not what their shape says.
   */
  encode(images: Images): Promise<Float32Array>;
  /** Ends its threads; what is still being encoded is rejected. */
  close(): Promise<void>;
}
