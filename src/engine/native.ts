import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/** The compiled binding of @tensorflow/tfjs-node; undefined where npm left out the package, or the binding. */
export function nativeBinding(): string | undefined {
  try {
    const folder = join(dirname(require.resolve('@tensorflow/tfjs-node/package.json')), 'lib');
    return readdirSync(folder)
      .map((api) => join(folder, api, 'tfjs_binding.node'))
      .find((path) => existsSync(path));
  } catch {
    return undefined;
  }
}

/** What the library has to say on its start is of no use to anybody: which processor, which optimisations. */
export function quieten(): void {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
}

let shared = false;

/**
 * Lets several threads open `native`: to be called in the main thread before any of them does. Blocks it for a
 * seventh of a second, once.
 *
 * The binding has one set of the names of attributes for all threads and inserts into it without a lock: two threads
 * that meet new names at a time end the process (SIGSEGV). Once it has them all, it is only read.
 */
export function shareNative(): void {
  if (shared) return;
  shared = true;
  const path = nativeBinding();
  if (path === undefined) return;
  quieten();
  try {
    addNames(require(path) as Binding);
  } catch {
    // The thread that opens it will be told the same, by `engine_failed`.
  }
}

type Binding = {
  executeOp(
    operation: string,
    attributes: readonly { name: string; type: number; value: number }[],
    inputs: readonly number[],
    outputs: number,
  ): unknown;
};

const NO_TYPE = -1;

function addNames(binding: Binding): void {
  for (const name of ATTRIBUTES) {
    try {
      binding.executeOp('NoOp', [{ name, type: NO_TYPE, value: 0 }], [], 0);
    } catch {
      // It looks at the type last: the name is in, and nothing was run.
    }
  }
}

/** All that @tensorflow/tfjs-node 4.22.0 gives to operations; a test compares it with the package. */
export const ATTRIBUTES: readonly string[] = `
  DstT Index N SrcT T TI T_threshold Taxis Tblock_shape Tcomplex Tcrops Tidx Tindices Tlen Tmultiples Tnumsegments Tout
  Tpaddings Tparams Tperm Truncate Tshape acceptable_fraction adj_x adj_y align_corners alpha axis batch_dims begin_mask
  beta bias block_size channels chroma_downsampling compression container data_format dct_method density_unit
  depth_radius dilations ellipsis_mask end_mask epsilon equation exclusive explicit_paddings extrapolation_value
  fancy_upscaling format half_pixel_centers index_type is_training keep_dims ksize method mode new_axis_mask num
  num_split optimize_size out_idx output_dtype output_type pad_to_max_output_size padding pattern progressive quality
  rates ratio replace_global reverse rewrite seed seed2 shared_name shrink_axis_mask sorted strides try_recover_truncated
  use_cudnn_on_gpu validate_indices x_density xmp_metadata y_density`
  .trim()
  .split(/\s+/);
