/** Finds the image in a payload, so that regions of it can be blanked and the rest of the message stays as it was. */
import { FleetError, type OpaqueChannel } from '@fleetloop/schemas';
import type { ImageRegion } from './redaction-rules.ts';

/** Fills regions of a JPEG or PNG with black and encodes it as what it was. */
export interface ImageBlanker {
  blank(image: Uint8Array, regions: readonly ImageRegion[]): Promise<Uint8Array>;
}

/** Field numbers of foxglove.CompressedImage. */
const COMPRESSED_IMAGE_DATA = 2;
const LENGTH_DELIMITED = 2;
const JPEG_MAGIC = [0xff, 0xd8];
const PNG_MAGIC = [0x89, 0x50, 0x4e, 0x47];

type Place = { readonly start: number; readonly end: number; readonly lengthAt: number | undefined };

/** @throws FleetError RECORD_REDACTION when no image is found or it cannot be decoded: then nothing of it may be recorded */
export async function blankPayload(
  channel: OpaqueChannel,
  payload: Uint8Array,
  { blanker, regions }: { readonly blanker: ImageBlanker; readonly regions: readonly ImageRegion[] },
): Promise<Uint8Array> {
  const place = findImage(channel, payload);
  if (place === undefined)
    throw new FleetError(
      'RECORD_REDACTION',
      `no JPEG or PNG was found in a message of ${channel.topic}: it is not recorded`,
    );
  let image: Uint8Array;
  try {
    image = await blanker.blank(payload.subarray(place.start, place.end), regions);
  } catch (cause) {
    throw new FleetError('RECORD_REDACTION', `an image of ${channel.topic} cannot be decoded: it is not recorded`, {
      cause,
    });
  }
  if (place.lengthAt === undefined) return image;
  const length = encodeVarint(image.length);
  return Buffer.concat([payload.subarray(0, place.lengthAt), length, image, payload.subarray(place.end)]);
}

function findImage(channel: OpaqueChannel, payload: Uint8Array): Place | undefined {
  if (channel.schemaName === 'foxglove.CompressedImage') return findField(payload, COMPRESSED_IMAGE_DATA);
  return isImage(payload) ? { start: 0, end: payload.length, lengthAt: undefined } : undefined;
}

function isImage(bytes: Uint8Array): boolean {
  return [JPEG_MAGIC, PNG_MAGIC].some((magic) => magic.every((byte, index) => bytes[index] === byte));
}

/** The bytes of a length-delimited field at the top level of a protobuf message. */
function findField(message: Uint8Array, wanted: number): Place | undefined {
  for (let offset = 0; offset < message.length; ) {
    const tag = readVarint(message, offset);
    if (tag === undefined) return undefined;
    const kind = tag.value & 7;
    if (kind === 0) {
      const value = readVarint(message, tag.end);
      if (value === undefined) return undefined;
      offset = value.end;
    } else if (kind === 1 || kind === 5) {
      offset = tag.end + (kind === 1 ? 8 : 4);
    } else if (kind === LENGTH_DELIMITED) {
      const length = readVarint(message, tag.end);
      if (length === undefined || length.end + length.value > message.length) return undefined;
      const end = length.end + length.value;
      if (tag.value >>> 3 === wanted) return { start: length.end, end, lengthAt: tag.end };
      offset = end;
    } else return undefined;
  }
  return undefined;
}

function readVarint(bytes: Uint8Array, start: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let index = 0; index < 5; index += 1) {
    const byte = bytes[start + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: start + index + 1 };
  }
  return undefined;
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}
