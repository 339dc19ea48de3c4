/** Why: a request names a trainer by a word; which folder that is, and nothing outside it, is decided here. */
import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FleetError } from '@fleetloop/schemas';

/** The trainers that come with the control plane. */
export const TRAINERS_FOLDER = resolve(import.meta.dirname, '../../trainers');

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** What the reference trainer tries when a request does not say. */
export const SEARCH_DEFAULT = {
  folds: 4,
  logistic: { inversePenalty: [0.1, 1, 10] },
  network: { hidden: 32, members: 8, searchMembers: 1, iterations: 100, penalty: [0.3, 1, 3] },
} as const;

/**
 * The script of a trainer: `train.py`, or `predict.py` for a model that was trained before.
 * @throws FleetError REQUEST_INVALID when there is no such trainer
 */
export async function trainerScript(
  folder: string,
  trainer: string,
  script: 'train.py' | 'predict.py',
): Promise<string> {
  const path = join(folder, trainer, script);
  if (!NAME.test(trainer) || !(await isThere(path)))
    throw new FleetError('REQUEST_INVALID', `there is no trainer ${JSON.stringify(trainer)} with a ${script}`);
  return path;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
