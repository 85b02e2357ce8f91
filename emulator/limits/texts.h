// What: the platform's own sentences, so that a reader recognises them from the console.
// Why: macros, so that the compiler checks the arguments against the format.
// Not: translated. They are what the cloud prints, whatever the user's language is.
#ifndef EMULATOR_LIMITS_TEXTS_H
#define EMULATOR_LIMITS_TEXTS_H

// clang-format off: one row a sentence
// P-109; the cause is the platform's for a refused connection, [I] for others; that the number
// follows startupTimeout is [I].
#define TEXT_START_NO_PORT                                                                                                       \
    "实例启动失败: 无法访问应用的 Web 端口（Error: %s），请确保程序在 %d 秒内正确地启动了 HTTP " \
    "服务"
// P-110; a path other than / is [I].
#define TEXT_START_BAD_STATUS                                                                      \
    "应用启动失败: 访问 leanengine 中间件失败，请确保正确地加载了中间件，应用（%s）返回：%d: %s"
#define TEXT_INSTANCE_REMOVED    "新建实例已被移除"                            // P-110
#define TEXT_INSTANCE_LOG        "实例日志：%s"                                // P-113
#define TEXT_NO_FUNCTIONS        "云函数信息接口返回 404，已忽略云函数和 Hook" // P-112
#define TEXT_FUNCTIONS_UPDATED   "云函数和 Hook 信息已更新"                    // P-231
#define TEXT_PERIODIC_FAILED     "健康检查失败：%s 检测到 Error %s" // P-108; its causes: [I]
#define TEXT_PERIODIC_BAD_STATUS "健康检查失败：%s 检测到应用（%s）返回：%d" // [I]
#define TEXT_BUILD_BEGIN         "开始构建 %s"                               // P-231
#define TEXT_CODE_DOWNLOAD       "正在下载应用代码 ..."                      // P-231
#define TEXT_CODE_UNPACK         "正在解压缩应用代码 ..."                    // P-231
#define TEXT_BUILD_MEMORY        "Out of memory"                             // P-66
#define TEXT_STEP_FAILED                                                                              \
    "部署失败：The command '/bin/sh -c chown leanengine:leanengine . && su leanengine -c '%s'' " \
    "returned a non-zero code: %d:"                                                   // P-68
#define TEXT_RUNTIME          "运行环境: python"                                      // P-231
#define TEXT_INSTALLING       "正在下载和安装依赖项 ..."                              // P-231
#define TEXT_STORE_IMAGE      "存储镜像到仓库（%s）..."                               // P-65, P-231
#define TEXT_BUILD_DONE       "镜像构建完成：%s"                                      // P-231
#define TEXT_DEPLOY_BEGIN     "开始部署 %s 到 %s"                                     // P-231
#define TEXT_INSTANCE_CREATE  "正在创建新实例 ..."                                    // P-231
#define TEXT_INSTANCE_START   "正在启动新实例 ..."                                    // P-231
#define TEXT_SDK              "[Python] 使用 Python %s, Python SDK %s"                // P-231
#define TEXT_INSTANCE_STARTED "实例启动成功：%s"                                      // P-231
#define TEXT_TIMER_FAILED     "timerAction short-circuited and no fallback available" // P-200
#define TEXT_TIMER_LATE       "timerAction timed-out and no fallback available"       // P-200
#define TEXT_FUNCTION_LATE    "The request timed out on the server"                   // P-199
#define TEXT_DEPLOY_DONE      "部署完成：%u 个实例部署成功"                           // P-231
#define TEXT_DEPLOY_FAILED    "部署完成：发生了 1 个错误"                             // P-110
// clang-format on

#define TEXT_NO_APPLICATION "Application not found" // P-117

// Those that are known in English too, in both languages (P-231, P-232): for
// announce_cloud_either().
// clang-format off: one row a sentence
#define TEXTS_DEPLOY_BEGIN     TEXT_DEPLOY_BEGIN, "Deploying %s to %s"
#define TEXTS_INSTANCE_CREATE  TEXT_INSTANCE_CREATE, "Creating new instance ..."
#define TEXTS_INSTANCE_START   TEXT_INSTANCE_START, "Starting new instance ..."
#define TEXTS_INSTANCE_STARTED TEXT_INSTANCE_STARTED, "Instance started: %s"
#define TEXTS_DEPLOY_DONE      TEXT_DEPLOY_DONE, "Deploy finished: %u instances deployed"
// clang-format on

#endif
