// Adds up the results the test runs left as JSON and prints one line. Fails when a test failed, was skipped or none ran.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.argv[2] ?? '.'
const results = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))
const sum = (count) => results.reduce((total, result) => total + count(result), 0)
const passed = sum((result) => result.numPassedTests)
const failed = sum(
  (result) => result.numFailedTests + result.numFailedTestSuites * (result.numFailedTests === 0 ? 1 : 0),
)
const skipped = sum((result) => result.numPendingTests + result.numTodoTests)
if (skipped > 0) {
  for (const result of results) {
    for (const file of result.testResults) {
      for (const test of file.assertionResults) {
        if (test.status !== 'passed' && test.status !== 'failed') console.log(`not run: ${test.fullName}`)
      }
    }
  }
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 || skipped > 0 || passed === 0 ? 1 : 0
