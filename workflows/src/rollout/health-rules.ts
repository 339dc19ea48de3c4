/** Why: the limits by which a rollout judges health, with their meaning and defaults in one place. */
import { FleetError } from '@fleetloop/schemas';
import { z } from 'zod';

const share = z.number().min(0).max(1);

export const HealthRules = z.strictObject({
  /** Windows that each hardware revision of a wave must have inferred before it can pass. */
  windowsMin: z.int().min(1).max(100_000).default(24),
  /** Windows that each vehicle of a wave must have inferred before the wave can pass: silence is no health. */
  vehicleWindowsMin: z.int().min(1).max(100_000).default(4),
  /** Windows of the former model that a comparison needs. */
  controlWindowsMin: z.int().min(1).max(100_000).default(12),
  /** Windows overlap and ground persists: this many windows count as one independent observation. */
  designEffect: z.number().min(1).max(100).default(2),
  /** Total variation distance (0..1) between the outputs of new and former model that is still accepted. */
  outputMixMax: share.default(0.35),
  /** Share of windows beyond the training distribution's 99th percentile, over the control's share, that is still accepted. */
  farShareMax: share.default(0.15),
  /** Share of windows over the latency budget, over the control's share, that is still accepted. */
  lateShareMax: share.default(0.1),
  /** Share of windows without a valid output that is still accepted. */
  invalidShareMax: share.default(0.02),
  /** Chance (0..1) to fail one rule of a healthy wave, over all looks together. */
  falseAlarm: z.number().min(0.0001).max(0.5).default(0.05),
  /** Time for each vehicle of a wave to report the new bundle confirmed, ms. Silence until then fails the wave. */
  confirmTimeoutMs: z.int().min(100).max(86_400_000).default(120_000),
  /** Time to collect enough windows after confirmation, ms. Still inconclusive then: the rollout aborts. */
  exposureTimeoutMs: z.int().min(100).max(86_400_000).default(180_000),
  /** Time between two looks at a wave, ms. */
  lookEveryMs: z.int().min(50).max(3_600_000).default(2_000),
  /** Time for each vehicle to report the former bundle confirmed in a rollback, ms. */
  rollbackTimeoutMs: z.int().min(100).max(86_400_000).default(120_000),
});
export type HealthRules = z.infer<typeof HealthRules>;

/** Most looks at one wave; the relation of exposureTimeoutMs and lookEveryMs must stay below it. */
export const LOOKS_MAX = 2_000;

/** @throws FleetError ROLLOUT_INVALID naming each field that is wrong */
export function parseHealthRules(document: unknown): HealthRules {
  const parsed = HealthRules.safeParse(document ?? {});
  if (!parsed.success)
    throw new FleetError('ROLLOUT_INVALID', `the health rules are not valid: ${z.prettifyError(parsed.error)}`);
  if (looksOf(parsed.data) > LOOKS_MAX) {
    throw new FleetError(
      'ROLLOUT_INVALID',
      `exposureTimeoutMs / lookEveryMs gives more than ${LOOKS_MAX} looks: look less often`,
    );
  }
  return parsed.data;
}

/** How often a wave is looked at until its exposure deadline. */
export function looksOf(rules: Pick<HealthRules, 'exposureTimeoutMs' | 'lookEveryMs'>): number {
  return Math.ceil(rules.exposureTimeoutMs / rules.lookEveryMs) + 1;
}

/** The rules in words, as the fact that starts a rollout holds them. */
export function describeRules(rules: HealthRules): string {
  return [
    `at least ${rules.windowsMin} windows per hardware revision`,
    `output mix <= ${rules.outputMixMax}`,
    `far share <= ${rules.farShareMax}`,
    `late share <= ${rules.lateShareMax}`,
    `invalid share <= ${rules.invalidShareMax}`,
    `false alarm ${rules.falseAlarm}`,
    `confirmed within ${rules.confirmTimeoutMs} ms`,
    `exposed within ${rules.exposureTimeoutMs} ms`,
  ].join('; ');
}
