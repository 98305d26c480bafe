import sharp from 'sharp';
import { LegonetError } from '../errors.js';

/** Media types that are decoded. */
export const IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/webp'] as const;

/** So many pixels at most: 24 MiB when decoded, and 300 MB of an engine's memory while they are resized. */
export const MAX_PIXELS = 8 * 1024 * 1024;

/** What shows through where an image is transparent. */
const BACKGROUND = '#ffffff';

/** An image as encoders take it: 8-bit sRGB, row-major [height, width, 3]. */
export type Pixels = {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
};

// The decoders of other formats are off for the whole process: what cannot be asked for cannot be attacked.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'],
});
// Nothing of an image stays in memory, and one image has one thread.
sharp.cache(false);
sharp.concurrency(1);

/**
 * Decodes a PNG, JPEG or WebP: the first frame, upright as its EXIF orientation says, in sRGB, on
 * white where it is transparent. The bytes say which of the three it is. Throws
 * `input_not_encodable` for another media type, more than MAX_PIXELS, or what cannot be decoded.
 */
export async function decodeImage(mediaType: string, bytes: Uint8Array): Promise<Pixels> {
  if (!IMAGE_TYPES.some((type) => type === mediaType.toLowerCase())) {
    throw unfit(`the media type is not one of ${IMAGE_TYPES.join(', ')}`);
  }
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    const options = { autoOrient: true, failOn: 'error', limitInputPixels: MAX_PIXELS } as const;
    const { data, info } = await sharp(file, options)
      .flatten({ background: BACKGROUND })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, rgb: data };
  } catch (cause) {
    throw unfit(reasonOf(cause), cause);
  }
}

const unfit = (reason: string, cause?: unknown): LegonetError =>
  new LegonetError('input_not_encodable', reason, 'terminal', { cause });

/** libvips says what is wrong with a file, never what is in it; its first line will do. */
function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  const [line = ''] = message.split('\n');
  if (/exceeds pixel limit/.test(line)) return `the image has more than ${MAX_PIXELS} pixels`;
  if (/unsupported image format|is empty/.test(line))
    return 'the bytes are not a PNG, JPEG or WebP image';
  return `the image cannot be decoded (${line})`;
}
