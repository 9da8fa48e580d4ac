/** What the page says, in English and Chinese. */

const ENGLISH = {
  choose: "Choose pictures",
  drop: "or drop or paste them here",
  camera: "Camera",
  stop: "Stop camera",
  save: "Save",
  cancel: "Cancel",
  retry: "Try again",
  before: "Before",
  after: "After",
  compare: "Position of the line between before and after",
  strength: "Strength",
  variant: "Variant",
  small: "Small (the network's own size)",
  opening: "Loading the network: {size}",
  ready: "{name}: {variant}, {accelerator}",
  threads: "threads",
  waiting: "waits",
  working: "{done} of {all}",
  done: "{ms} ms",
  cancelled: "cancelled",
  notPicture: "{file} is not a picture that this browser can read.",
  noCamera: "The camera cannot be used: {reason}",
  fallback: "Passed over: {list}",
  queue: "Pictures",
  offline: "Works offline from now on",
  benchmark: "Benchmark",
  measure: "Measure this browser",
  measuring: "{variant} is measured; leave the page in front",
  measured: "Done. Save the records and give them to: harness farm --import FOLDER -o runs.sqlite",
  records: "Save records",
  hidden: "invalid: the page was not visible all the time",
  wrong: "wrong",
  variantName: "Variant",
  time: "Warm median (first), ms",
  golden: "Golden picture",
};

export type Key = keyof typeof ENGLISH;

const CHINESE: Record<Key, string> = {
  choose: "选择图片",
  drop: "或者拖放、粘贴到这里",
  camera: "相机",
  stop: "停止相机",
  save: "保存",
  cancel: "取消",
  retry: "重试",
  before: "之前",
  after: "之后",
  compare: "前后分界线的位置",
  strength: "强度",
  variant: "变体",
  small: "小图（网络自身的尺寸）",
  opening: "正在加载网络：{size}",
  ready: "{name}：{variant}，{accelerator}",
  threads: "多线程",
  waiting: "等待中",
  working: "{done} / {all}",
  done: "{ms} 毫秒",
  cancelled: "已取消",
  notPicture: "{file} 不是此浏览器能读取的图片。",
  noCamera: "无法使用相机：{reason}",
  fallback: "已跳过：{list}",
  queue: "图片",
  offline: "现在可以离线使用",
  benchmark: "性能测试",
  measure: "测量此浏览器",
  measuring: "正在测量 {variant}，请让页面保持在前台",
  measured: "完成。保存记录，然后运行：harness farm --import 文件夹 -o runs.sqlite",
  records: "保存记录",
  hidden: "无效：页面曾经不可见",
  wrong: "错误",
  variantName: "变体",
  time: "预热后中位数（首次），毫秒",
  golden: "基准图片",
};

/** The browser's first language that the page knows. */
export const LANGUAGE: "en" | "zh" = navigator.languages.find((tag) => /^(en|zh)/.test(tag))?.startsWith("zh") ? "zh" : "en";

export function say(key: Key, values: Readonly<Record<string, string | number>> = {}): string {
  const text = (LANGUAGE === "zh" ? CHINESE : ENGLISH)[key];
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}
