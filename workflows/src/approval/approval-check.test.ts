import { describe, expect, it } from 'vitest';
import type { Proposal } from '../ports.ts';
import { checkApproval } from './approval-check.ts';

const proposal: Proposal = {
  promotionId: 'pr-1',
  model: 'sha256:m',
  modelName: 'terrain',
  modelVersion: 2,
  dataset: 'sha256:d',
  policy: 'sha256:p',
  gate: 'ga-1',
  proposer: 'olga',
  expiresAt: '2026-11-21T00:00:00.000Z',
};
const approval = {
  approver: 'anton',
  reason: 'read it',
  digests: { model: 'sha256:m', dataset: 'sha256:d', policy: 'sha256:p' },
};

describe('checkApproval', () => {
  it('accepts another person who names the proposed digests', () => {
    expect(checkApproval(proposal, approval)).toBeUndefined();
  });

  it('refuses the proposer', () => {
    expect(checkApproval(proposal, { ...approval, approver: 'olga' })).toMatchObject({ code: 'APPROVAL_SELF' });
  });

  it.each(['model', 'dataset', 'policy'] as const)('is void when the %s is another one', (name) => {
    const digests = { ...approval.digests, [name]: 'sha256:other' };
    expect(checkApproval(proposal, { ...approval, digests })).toMatchObject({
      code: 'APPROVAL_VOID',
      message: expect.stringContaining(name),
    });
  });
});
