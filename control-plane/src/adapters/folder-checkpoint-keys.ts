/** Why: every key that ever signed a checkpoint is kept, each in a file that only its owner reads: the newest signs, and a restart finds it by the name the ledger gives. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { generateSigningKey } from '@fleetloop/schemas/crypto';
import { z } from 'zod';
import { LEDGER_ORIGIN } from '../ledger/checkpoint.ts';
import { verifierKeyText } from '../ledger/signed-note.ts';
import type { CheckpointKeys, CheckpointSigner } from '../ports.ts';
import { makeFolderDurably, writeFileDurably } from './durable-file.ts';

const OWNER_ONLY = 0o600;
const KeyFile = z.object({ privateKeyPem: z.string(), publicKeyPem: z.string() });

/** `first` signed before any rotation and lies elsewhere. */
export class FolderCheckpointKeys implements CheckpointKeys {
  readonly #folder: string;
  readonly #first: CheckpointSigner;

  private constructor(folder: string, first: CheckpointSigner) {
    this.#folder = folder;
    this.#first = first;
  }

  static async open(folder: string, first: CheckpointSigner): Promise<FolderCheckpointKeys> {
    await makeFolderDurably(folder);
    return new FolderCheckpointKeys(folder, first);
  }

  /** @throws FleetError CONFIG_INVALID for a damaged key file */
  async find(verifierKey: string): Promise<CheckpointSigner | undefined> {
    if (verifierKey === verifierKeyText(this.#first)) return this.#first;
    const path = this.#pathOf(verifierKey);
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    const signer = parseSigner(text);
    if (signer === undefined || verifierKeyText(signer) !== verifierKey)
      throw new FleetError('CONFIG_INVALID', `the key file ${path} is damaged: restore it from a backup`);
    return signer;
  }

  async make(): Promise<CheckpointSigner> {
    const { privateKeyPem, publicKeyPem } = generateSigningKey();
    const signer = { name: LEDGER_ORIGIN, privateKeyPem, publicKeyPem };
    const text = `${JSON.stringify({ privateKeyPem, publicKeyPem }, null, 2)}\n`;
    await writeFileDurably(this.#pathOf(verifierKeyText(signer)), text, OWNER_ONLY);
    return signer;
  }

  /** The id in a verifier key is eight hex digits; anything else has no path. */
  #pathOf(verifierKey: string): string {
    const id = /\+([0-9a-f]{8})\+/.exec(verifierKey)?.[1];
    if (id === undefined)
      throw new FleetError('REQUEST_INVALID', `${JSON.stringify(verifierKey)} is not a verifier key`);
    return join(this.#folder, `${id}.json`);
  }
}

function parseSigner(text: string): CheckpointSigner | undefined {
  try {
    return { name: LEDGER_ORIGIN, ...KeyFile.parse(JSON.parse(text)) };
  } catch {
    return undefined;
  }
}
