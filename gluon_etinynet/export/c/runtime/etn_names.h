/* The runtime's global names carry the network's prefix, so that several networks link into one firmware. */
#ifndef ETN_NAMES_H
#define ETN_NAMES_H

#include "etn_prefix.h" /* written by tools/export_c.py: #define ETN_NAME */

#define etn_arena_bytes ETN_NAME(arena_bytes)
#define etn_init ETN_NAME(init)
#define etn_image ETN_NAME(image)
#define etn_push_row ETN_NAME(push_row)
#define etn_check ETN_NAME(check)
#define etn_push ETN_NAME(push)
#define etn_ranking_of ETN_NAME(ranking_of)
#define etn_run_step ETN_NAME(run_step)
#define etn_check_blob ETN_NAME(check_blob)
#define etn_self_test ETN_NAME(self_test)
#define etn_camera_begin ETN_NAME(camera_begin)
#define etn_camera_row ETN_NAME(camera_row)
#define etn_run ETN_NAME(run)
#define etn_detect ETN_NAME(detect)

#define etn_stem_begin ETN_NAME(stem_begin)
#define etn_stem_push ETN_NAME(stem_push)
#define etn_block ETN_NAME(block)
#define etn_predict ETN_NAME(predict)

#define etn_rank ETN_NAME(rank)
#define etn_suppress ETN_NAME(suppress)
#define etn_decode_cell ETN_NAME(decode_cell)

#define etn_weights ETN_NAME(weights)
#define etn_stem_weights ETN_NAME(stem_weights)
#define etn_stem_row ETN_NAME(stem_row)
#define etn_maxpool_row ETN_NAME(maxpool_row)
#define etn_to_line ETN_NAME(to_line)
#define etn_to_operand ETN_NAME(to_operand)
#define etn_depthwise_operand ETN_NAME(depthwise_operand)
#define etn_depthwise_map ETN_NAME(depthwise_map)
#define etn_pointwise_rows ETN_NAME(pointwise_rows)
#define etn_predict_row ETN_NAME(predict_row)
#define etn_average ETN_NAME(average)
#define etn_dense ETN_NAME(dense)
#define etn_observe ETN_NAME(observe)

#endif
