/** Blanks regions of images by libvips, in its own threads. Loaded at the first image: a vehicle without such a rule never pays for it. */
import type { ImageBlanker } from '../record/redaction-image.ts';
import type { ImageRegion } from '../record/redaction-rules.ts';

/** Refuses what would unpack to more memory than a vehicle has to spare. */
const PIXELS_MAX = 4_096 * 4_096;
const JPEG_QUALITY = 90;

export const sharpImageBlanker: ImageBlanker = { blank };

async function blank(image: Uint8Array, regions: readonly ImageRegion[]): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp');
  sharp.cache(false);
  sharp.concurrency(1);
  const source = sharp(image, { limitInputPixels: PIXELS_MAX });
  const { width, height, format } = await source.metadata();
  const boxes = regions
    .map((region) => toPixels(region, width, height))
    .filter((box) => box.width > 0 && box.height > 0);
  const blanked = source.composite(
    boxes.map(({ left, top, ...size }) => ({
      input: { create: { ...size, channels: 3, background: '#000000' } },
      left,
      top,
    })),
  );
  return format === 'png' ? blanked.png().toBuffer() : blanked.jpeg({ quality: JPEG_QUALITY }).toBuffer();
}

type Box = { readonly left: number; readonly top: number; readonly width: number; readonly height: number };

/** Outwards to whole pixels: no edge of what is to be hidden stays. */
function toPixels(region: ImageRegion, width: number, height: number): Box {
  const left = Math.floor(region.x * width);
  const top = Math.floor(region.y * height);
  const right = Math.min(width, Math.ceil((region.x + region.width) * width));
  const bottom = Math.min(height, Math.ceil((region.y + region.height) * height));
  return { left, top, width: right - left, height: bottom - top };
}
