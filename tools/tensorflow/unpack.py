"""Takes the two libraries and the C headers out of TensorFlow's wheel: unpack.py WHEEL DIRECTORY"""

import os
import shutil
import sys
import zipfile

FILES = {
    ("tensorflow", "lib"): "libtensorflow_cc.so.2 libtensorflow_framework.so.2",
    ("tensorflow/include", "include"): """
        tensorflow/c/c_api.h tensorflow/c/c_api_macros.h tensorflow/c/eager/c_api.h
        tensorflow/c/tf_attrtype.h tensorflow/c/tf_buffer.h tensorflow/c/tf_datatype.h
        tensorflow/c/tf_status.h tensorflow/c/tf_tensor.h tensorflow/c/tf_tstring.h
        tensorflow/core/platform/ctstring.h tensorflow/core/platform/ctstring_internal.h
        tensorflow/tsl/c/tsl_status.h tensorflow/tsl/platform/ctstring.h
        tensorflow/tsl/platform/ctstring_internal.h""",
}

wheel, directory = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for (folder, kept), names in FILES.items():
        for name in names.split():
            path = os.path.join(directory, kept, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(f"{folder}/{name}") as source, open(path, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 22)
