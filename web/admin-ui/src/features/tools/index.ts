export { Tools } from "./Tools";
