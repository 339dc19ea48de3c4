/** Why: a rollout that names a vehicle twice, or none, would be judged on the wrong vehicles; it is refused before it starts. */
import { FleetError } from '@fleetloop/schemas';

export const WAVES_MAX = 100;
export const ROLLOUT_VEHICLES_MAX = 10_000;

/** @throws FleetError ROLLOUT_INVALID */
export function checkWaves(waves: readonly (readonly string[])[]): void {
  if (waves.length === 0 || waves.length > WAVES_MAX)
    throw refuse(`it has ${waves.length} waves, 1 to ${WAVES_MAX} are possible`);
  const seen = new Map<string, number>();
  for (const [index, wave] of waves.entries()) {
    if (wave.length === 0) throw refuse(`wave ${index} has no vehicle`);
    for (const vehicle of wave) {
      const former = seen.get(vehicle);
      if (former !== undefined) throw refuse(`vehicle ${vehicle} is in wave ${former} and in wave ${index}`);
      seen.set(vehicle, index);
    }
  }
  if (seen.size > ROLLOUT_VEHICLES_MAX)
    throw refuse(`it has ${seen.size} vehicles, at most ${ROLLOUT_VEHICLES_MAX} are possible`);
}

function refuse(why: string): FleetError {
  return new FleetError('ROLLOUT_INVALID', `the rollout cannot start: ${why}`);
}
