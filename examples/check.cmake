# Runs an example in a folder of its own, and looks at what it says.
# cmake -DPROGRAM=… -DMODEL=… -DFOLDER=… -DEXPECTED=REGEX -P check.cmake
cmake_minimum_required(VERSION 3.25)

file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER})
execute_process(COMMAND ${PROGRAM} ${MODEL} ${FOLDER} OUTPUT_VARIABLE out
                ERROR_VARIABLE err RESULT_VARIABLE code)
message("${out}${err}")
if(NOT code EQUAL 0)
  message(FATAL_ERROR "exit status ${code}")
endif()
if(NOT out MATCHES "${EXPECTED}")
  message(FATAL_ERROR "expected: ${EXPECTED}")
endif()
