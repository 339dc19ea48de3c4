/** The control plane's Ed25519 keys, made at the first start and kept in files that only their owner reads. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { generateSigningKey, type SigningKey } from '@fleetloop/schemas/crypto';
import { z } from 'zod';
import type { ControlPlaneKeys } from '../processes/control-plane-context.ts';
import { makeFolderDurably, writeFileDurably } from './durable-file.ts';

const OWNER_ONLY = 0o600;
const KeyFile = z.strictObject({ keyId: z.string(), privateKeyPem: z.string(), publicKeyPem: z.string() });

/** Reads the keys of a folder and makes those that are missing. @throws FleetError CONFIG_INVALID for a damaged key file */
export async function loadKeys(folder: string): Promise<ControlPlaneKeys> {
  await makeFolderDurably(folder);
  return {
    checkpoint: await loadKey(join(folder, 'checkpoint.json')),
    director: await loadKey(join(folder, 'director.json')),
    image: await loadKey(join(folder, 'image.json')),
  };
}

async function loadKey(path: string): Promise<SigningKey> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new FleetError('CONFIG_INVALID', `the key file ${path} cannot be read`, { cause: error });
  });
  if (text === undefined) {
    const key = generateSigningKey();
    await writeFileDurably(path, `${JSON.stringify(key, null, 2)}\n`, OWNER_ONLY);
    return key;
  }
  try {
    return KeyFile.parse(JSON.parse(text));
  } catch (cause) {
    // A new key would orphan everything that the former one signed.
    throw new FleetError('CONFIG_INVALID', `the key file ${path} is damaged: restore it from a backup`, { cause });
  }
}
