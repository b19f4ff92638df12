/** What a command's end tells the shell. */
export const exitCode = { done: 0, failed: 1, usage: 2, config: 78 } as const

export type ExitCode = (typeof exitCode)[keyof typeof exitCode]
