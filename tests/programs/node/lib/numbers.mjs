export const double = (x) => 2 * x;
export let counter = 0;
export function increase() { counter++; }
export default 'numbers';
