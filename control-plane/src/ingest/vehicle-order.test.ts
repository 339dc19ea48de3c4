import { expect, it } from 'vitest';
import { VehicleOrder } from './vehicle-order.ts';

it('holds a manifest back until the earlier chunks of its vehicle are done, and nobody else', async () => {
  const order = new VehicleOrder();
  const done: string[] = [];
  const chunk = Promise.withResolvers<void>();
  const first = order.run('v1', false, async () => {
    await chunk.promise;
    done.push('chunk of v1');
  });
  const second = order.run('v1', true, async () => {
    done.push('manifest of v1');
  });
  const other = order.run('v2', true, async () => {
    done.push('manifest of v2');
  });
  const later = order.run('v1', false, async () => {
    done.push('later chunk of v1');
  });
  await Promise.all([other, later]);
  expect(done).toEqual(['manifest of v2', 'later chunk of v1']);
  chunk.resolve();
  await Promise.all([first, second]);
  expect(done.slice(2)).toEqual(['chunk of v1', 'manifest of v1']);
});
