/** Fields that bodies of many kinds have, with their limits. */
import { z } from 'zod';

export const text = z.string().max(4_096);
export const shortText = z.string().min(1).max(256);
