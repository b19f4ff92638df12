// Lint rules: all are errors. Style is Prettier's; what stands here finds faults.
import { fileURLToPath } from 'node:url'
import tseslint from 'typescript-eslint'

const clocksAndChance = [
  { object: 'Date', property: 'now', message: 'Time is handed in: take a Clock.' },
  { object: 'Math', property: 'random', message: 'Chance is handed in: take a Random.' },
  { object: 'performance', property: 'now', message: 'Time is handed in: take a Clock.' },
]

export default tseslint.config(
  { ignores: ['**/dist/**', '**/*.cjs'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        project: fileURLToPath(new URL('tsconfig.check.json', import.meta.url)),
      },
    },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      // An import of types only would otherwise still load the module.
      '@typescript-eslint/no-import-type-side-effects': 'error',
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'max-lines': ['error', { max: 400 }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/unified-signatures': 'off',
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['src/page/browser/**/*.ts'],
    languageOptions: {
      parserOptions: { project: fileURLToPath(new URL('tsconfig.page.json', import.meta.url)) },
    },
  },
  { files: ['test/**/*.ts'], rules: { 'max-lines-per-function': 'off', 'max-lines': 'off' } },
  {
    files: ['src/**/*.ts'],
    // A page has no other clock than its browser's.
    ignores: ['src/base/**', 'src/page/browser/**'],
    rules: {
      'no-restricted-properties': ['error', ...clocksAndChance],
      'no-restricted-globals': [
        'error',
        { name: 'setTimeout', message: 'Time is handed in: take a Clock.' },
        { name: 'setInterval', message: 'Time is handed in: take a Clock.' },
      ],
    },
  },
)
