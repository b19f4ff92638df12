/** An answer of a cloud held against the shape it is described with. The shapes are the kinds'. */
import type { z } from 'zod'
import { TargetError } from './target.ts'

/** What is not as described is tried again and told. */
export function parsedAnswer<T>(
  { what, cloud }: { readonly what: string; readonly cloud: string },
  schema: z.ZodType<T>,
  value: unknown,
): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const where = issue?.path.map(String).join('.') ?? ''
  const fault = `${where === '' ? 'it' : where}: ${issue?.message ?? 'unreadable'}`
  const message = `${what}: expected an answer as ${cloud} describes it, got another (${fault}); it is tried again`
  throw new TargetError({ kind: 'retry' }, message)
}
